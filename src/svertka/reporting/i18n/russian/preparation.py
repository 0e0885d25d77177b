"""The steps of the preparation, drawn on one picture."""

SENTENCES = {
    "The picture as it was": "Изображение, каким оно было",
    "1. as it was": "1. как было",
    "framed: what is kept": "в рамке то, что остаётся",
    "The same picture, brought to size": "То же изображение, приведённое к размеру",
    "2. brought to size": "2. приведено к размеру",
    "Pixels of the middle": "Пиксели в середине",
    "The same pixels, scaled": "Те же пиксели после нормировки",
    "as it was, and as it is taken": "как было, так и берётся",
    "scaled": "нормировано",
    "3. scaled": "3. нормировано",
    "pixels of the middle, first channel: {sum}; all numbers lie between {low} and {high}": (
        "пиксели в середине, первый канал: {sum}; все числа лежат между {low} и {high}"
    ),
}

"""The findings of `svertka check`, on a page of their own and in the report; their sentences are made by `audit`."""

SENTENCES = {
    "svertka check": "проверка svertka",
    "Check of the data": "Проверка данных",
    "What was found": "Что найдено",
    "How many there are of each class": "Сколько изображений каждого класса",
    "{n:# picture|# pictures} of {k:# class|# classes} could be read.": (
        "Прочитано {n:# изображение|# изображения|# изображений} {k:# класса|# классов|# классов}."
    ),
    "{n:# picture|# pictures} of {k:# class|# classes} could be read, of {files:# file|# files}.": (
        "Прочитано {n:# изображение|# изображения|# изображений} {k:# класса|# классов|# классов} "
        "из {files:# файла|# файлов|# файлов}."
    ),
    "and {n} more, which <code>svertka check --json</code> lists.": (
        "и ещё {n}; их перечислит <code>svertka check --json</code>."
    ),
    "Made by svertka; nothing in the folder was changed.": "Сделано программой svertka; в папке ничего не изменено.",
    "Nothing was found that would mislead a network or its scores.": (
        "Не найдено ничего, что ввело бы в заблуждение сеть или исказило оценки."
    ),
    "Nothing that would mislead the network or its scores: no copies across parts or classes, no odd pictures, no "
    "shortcuts.": (
        "Ничего, что ввело бы сеть в заблуждение или исказило оценки: нет копий в разных выборках и классах, "
        "нет странных изображений, нет лёгких подсказок."
    ),
    "{n:# finding|# findings}, {leaks:# leak|# leaks} and {wrong:# contradiction|# contradictions} among them.": (
        "{n:# находка|# находки|# находок}, среди них {leaks:# утечка|# утечки|# утечек} и "
        "{wrong:# противоречие|# противоречия|# противоречий}."
    ),
    "{n:# finding|# findings}, {leaks:# leak|# leaks} among them.": (
        "{n:# находка|# находки|# находок}, среди них {leaks:# утечка|# утечки|# утечек}."
    ),
    "{n:# finding|# findings}, {wrong:# contradiction|# contradictions} among them; no leak between parts.": (
        "{n:# находка|# находки|# находок}, среди них {wrong:# противоречие|# противоречия|# противоречий}; "
        "утечек между выборками нет."
    ),
    "{n:# finding|# findings}; no leak between parts.": (
        "{n:# находка|# находки|# находок}; утечек между выборками нет."
    ),
    "{title}: {n:# picture|# pictures}": "{title}: {n:# изображение|# изображения|# изображений}",
    "Leaks": "Утечки",
    "The same picture on both sides of a split: its answer is known beforehand.": (
        "Одно и то же изображение по обе стороны разбиения: ответ на него известен заранее."
    ),
    "Contradictions": "Противоречия",
    "The same picture under two labels: one is wrong, or the classes overlap.": (
        "Одно изображение с двумя метками: одна из них неверна, или классы пересекаются."
    ),
    "Copies": "Копии",
    "The same picture more than once, on one side and in one class.": (
        "Одно изображение несколько раз, в одной выборке и в одном классе."
    ),
    "{shown} of {n} are shown.": "Показано {shown} из {n}.",
    "Unlike the others: {n:# picture|# pictures}": (
        "Не похоже на остальные: {n:# изображение|# изображения|# изображений}"
    ),
    "Each is measured against the median of the set.": "Каждое сравнивается с медианой набора.",
    # kinds of oddities
    "placeholder": "заглушка",
    "empty": "пустое",
    "dark": "тёмное",
    "bright": "светлое",
    "blurred": "размытое",
    "small": "маленькое",
    "long": "вытянутое",
}

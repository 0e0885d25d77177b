"""The network as drawing and table."""

SENTENCES = {
    "For one picture": "На одно изображение",
    "{macs} multiply-adds, {memory} for what the layers give out": (
        "{macs} умножений со сложением, {memory} на выходы слоёв"
    ),
    "Drawn": "Рисунок",
    "Each box is a part of the network: as high as its maps, as wide as it has channels (on a scale that grows "
    "slowly). Below it: channels × height × width.": (
        "Каждый прямоугольник — часть сети: высота показывает размер карт, ширина — число каналов (в медленно "
        "растущем масштабе). Под ним: каналы × высота × ширина."
    ),
    "Drawing of the network": "Рисунок сети",
    "All {n:# layer|# layers} as a table": "{n:Весь # слой|Все # слоя|Все # слоёв} в таблице",
    "Layers": "Слои",
    "layer": "слой",
    "what it does": "что делает",
    "gives out": "выход",
    "parameters": "параметры",
    "multiply-adds": "умножения со сложением",
    "receptive field": "рецептивное поле",
    "input": "вход",
    "The network in {n:# part|# parts}, from input to output": (
        "Сеть из {n:# части|# частей|# частей}, от входа к выходу"
    ),
}

"""The map of the pictures, and what its mistakes look like to the network."""

SENTENCES = {
    "Map": "Карта",
    "How the network sees the pictures": "Как сеть видит изображения",
    "Each point is a picture, as the frozen network sees it: near together lies what it finds alike. The map shows "
    "{n:# picture|# pictures} of training and validation, laid on the two directions along which they differ most "
    "(principal components).": (
        "Каждая точка — изображение, каким его видит замороженная сеть: рядом лежит то, что для неё похоже. На карте "
        "{n:# изображение|# изображения|# изображений} обучающей и валидационной выборок, в осях двух направлений, "
        "по которым они различаются сильнее всего (главные компоненты)."
    ),
    "Each point is a picture, as the frozen network sees it: near together lies what it finds alike. The map shows "
    "{n:# picture|# pictures} of training and validation, laid out so that neighbors stay neighbors (t-SNE): groups "
    "mean something, distances between them do not.": (
        "Каждая точка — изображение, каким его видит замороженная сеть: рядом лежит то, что для неё похоже. На карте "
        "{n:# изображение|# изображения|# изображений} обучающей и валидационной выборок, разложенные так, что соседи "
        "остаются соседями (t-SNE): группы что-то значат, расстояния между ними — нет."
    ),
    "These hold {share} of all differences, so pictures that lie apart are apart, while some that lie together are "
    "not alike.": (
        "На них приходится {share} всех различий: что на карте далеко, то и вправду непохоже, а вот лежащее рядом "
        "похоже не всегда."
    ),
    "Here are {k} of {n:# class|# classes}: those with the most mistakes, then the largest.": (
        "Показано {k} из {n:# класса|# классов|# классов}: сначала те, где больше ошибок, затем самые большие."
    ),
    "Blue points are of the class, gray ones of the others; a cross is a validation picture of the class that was "
    "taken for another.": (
        "Синие точки — изображения класса, серые — остальных; крестик — изображение этого класса из валидационной "
        "выборки, принятое за другой класс."
    ),
    "Blue points are of the class, gray ones of the others.": (
        "Синие точки — изображения класса, серые — остальных классов."
    ),
    "Where the pictures of {name} lie on the map": "Где на карте лежат изображения класса {name}",
    "What the worst mistakes look like to it": "На что для неё похожи самые грубые ошибки",
    "Each mistake, and the training pictures whose features are most like it (1 is the same direction). Where these "
    "show another class, the network sees what it was taught; where one of them is labeled wrong, it was taught "
    "wrong.": (
        "Каждая ошибка и обучающие изображения с самыми похожими признаками (1 — одно направление). Если на них "
        "другой класс, сеть видит то, чему её учили; если у одного из них неверная метка, её учили неверно."
    ),
    "A mistake: a picture of {name}": "Ошибка: изображение класса {name}",
    "taken for <bdi>{name}</bdi>": "принято за <bdi>{name}</bdi>",
    "A training picture of {name}, like the one before": "Обучающее изображение класса {name}, похожее на ошибку",
    "{n:# picture|# pictures}": "{n:# изображение|# изображения|# изображений}",
    "{n:# mistake|# mistakes}": "{n:# ошибка|# ошибки|# ошибок}",
}

"""The model card."""

SENTENCES = {
    "Card": "Паспорт",
    "Model card": "Паспорт модели",
    "For those who use the model without having made it.": "Для тех, кто пользуется моделью, но не делал её.",
    "What it is for": "Для чего она",
    "How good it is": "Насколько она хороша",
    "Its limits": "Её пределы",
    "What svertka cannot know, and its owner should add": "Чего svertka знать не может, а владельцу стоит добавить",
    "under which licenses the pictures and the starting weights may be used": (
        "по каким лицензиям можно использовать изображения и начальные веса"
    ),
    "whether the people in them, if any, agreed": "согласны ли люди, если они есть на изображениях",
    "what a wrong answer costs, and whom": "чего и кому стоит неверный ответ",
    "Tells apart {n:# class|# classes} of pictures: {names}.": (
        "Различает {n:# класс|# класса|# классов} изображений: {names}."
    ),
    "Made for new pictures of the same kind: same things, taken in the same way.": (
        "Рассчитана на новые изображения того же рода: те же предметы, снятые так же."
    ),
    "Gives a probability for each class; it sums to one, and a person decides what to do with it.": (
        "Даёт вероятность каждого класса (в сумме единица); что с ней делать, решает человек."
    ),
    "It always answers with one of its classes, also for pictures that show none of them.": (
        "Всегда называет один из своих классов, даже если на изображении нет ни одного из них."
    ),
    "How often it is right was not measured.": "Как часто она права, не измерено.",
    "Frequent classes were learned from {x:.1f} times as many pictures as rare ones.": (
        "Частые классы выучены по числу изображений, в {x:.1f} раза большему, чем редкие."
    ),
    "The check found {n:# shortcut|# shortcuts} by which a class can be told without looking at the thing itself: "
    "elsewhere it may fail.": (
        "Проверка нашла {n:# лёгкую подсказку|# лёгкие подсказки|# лёгких подсказок}, по которым класс можно "
        "узнать, не глядя на сам предмет: в других условиях сеть может ошибаться."
    ),
    "It sees {width} × {height} pixels: what is smaller than a few of them is lost.": (
        "Она видит {width} × {height} пикселей: то, что меньше нескольких из них, теряется."
    ),
    "{accuracy} right (95\u202f% interval {interval})": "верно {accuracy} (95-процентный интервал {interval})",
}

"""Menu and headings of the sections, and what stands in those that every run has."""

SENTENCES = {
    # menu and headings
    "Data": "Данные",
    "What it learned from": "На чём сеть училась",
    "Check": "Проверка",
    "What the check of the data found": "Что нашла проверка данных",
    "Preparation": "Подготовка",
    "How a picture is prepared": "Как готовится изображение",
    "Network": "Сеть",
    "The network": "Сеть",
    "Choices": "Настройки",
    "What was chosen, and why": "Что выбрано и почему",
    "Ladder": "Лестница",
    "What the weights it started from are good for": "Что дают готовые веса",
    "Learning": "Обучение",
    "How it learned": "Как шло обучение",
    "Scores": "Оценки",
    "All scores": "Все оценки",
    "Classes": "Классы",
    "How well it knows each class": "Насколько хорошо сеть знает каждый класс",
    "Confusion": "Путаница",
    "What it takes for what": "Что она с чем путает",
    "Mistakes": "Ошибки",
    "The worst mistakes": "Самые грубые ошибки",
    "Time": "Время",
    "Where the time went": "На что ушло время",
    "Reproduce": "Повторить",
    "How to reproduce it": "Как это повторить",
    # data
    "{n:# picture|# pictures} of {k:# class|# classes}": (
        "{n:# изображение|# изображения|# изображений} {k:# класса|# классов|# классов}"
    ),
    "from": "источник:",
    "{n} for training": "{n} для обучения",
    "{n} for validation": "{n} для валидации",
    "{n} for test": "{n} для теста",
    "{n} for no part yet": "{n} пока без выборки",
    "The largest class has {x:.1f} times the pictures of the smallest.": (
        "В самом большом классе в {x:.1f} раза больше изображений, чем в самом маленьком."
    ),
    "class": "класс",
    "all": "всего",
    "All {n:# class|# classes}, {fewest} to {most:# picture|# pictures} each": (
        "{n:Весь # класс|Все # класса|Все # классов}, в каждом от {fewest} до {most:# изображения|# изображений|# "
        "изображений}"
    ),
    "{n:# file|# files} could not be read": (
        "{n:# файл не удалось прочитать|# файла не удалось прочитать|# файлов не удалось прочитать}"
    ),
    "{n:# file|# files} left aside": "{n:# файл оставлен|# файла оставлено|# файлов оставлено} в стороне",
    "Nothing was changed: {n:it still lies where it was|they still lie where they were}.": (
        "Ничего не изменено: {n:он лежит там же, где лежал|они лежат там же, где лежали|они лежат там же, где лежали}."
    ),
    "Which, and why": "Какие и почему",
    "file": "файл",
    "reason": "причина",
    "and {n} more, listed in metrics.json.": "и ещё {n}; они перечислены в metrics.json.",
    # preparation
    "Before the network sees a picture, it is prepared always in the same way; the model keeps this preparation "
    "and uses it for every prediction.": (
        "Прежде чем попасть в сеть, каждое изображение готовится одним и тем же способом; он хранится в модели и "
        "применяется при каждом предсказании."
    ),
    "Size": "Размер",
    "{size} pixels": "{size} пикселей",
    "width × height": "ширина × высота",
    "Color": "Цвет",
    "gray": "оттенки серого",
    "red, green, blue": "красный, зелёный, синий",
    "Other shapes": "Другие пропорции",
    "stretched to this size, whatever their shape": "растягиваются до этого размера, какими бы ни были",
    "scaled until the shorter side fits, then cut from the middle": (
        "масштабируются по короткой стороне, затем вырезается середина"
    ),
    "scaled until they fit whole, the rest filled up": "вписываются целиком, остальное заполняется",
    "Scaling": "Нормировка",
    "pixels from 0 to 1, less {mean}, divided by {std}": "пиксели от 0 до 1, минус {mean}, делённые на {std}",
    "Pictures as the network sees them": "Изображения, какими их видит сеть",
    "A picture of {name}": "Изображение класса {name}",
    # network
    "network in notation": "сеть, записанная строкой",
    "The network in notation": "Сеть, записанная строкой",
    "Name": "Название",
    "Parameters": "Параметры",
    "Input": "Вход",
    "channels × height × width": "каналы × высота × ширина",
    "Output": "Выход",
    "{n:# class|# classes}": "{n:# класс|# класса|# классов}",
    "Weights": "Веса",
    # choices
    "What was not set was chosen from the data and from this machine, each with its reason.": (
        "То, что не было задано, выбрано по данным и по возможностям этого компьютера; у каждого выбора есть причина."
    ),
    "setting": "настройка",
    "value": "значение",
    "All other settings": "Все остальные настройки",
    "Settings": "Настройки",
    # ladder
    "The network was not taught from nothing: each line is a way to use what it had learned before, from the "
    "quickest up. Each was measured on the validation pictures and kept only if it beat all before it; the marked "
    "one is the model.": (
        "Сеть училась не с нуля: каждая строка — это способ использовать то, что она уже умела, начиная с самого "
        "быстрого. Каждый проверен на валидационной выборке и принят, только если превзошёл все предыдущие; "
        "отмеченный стал моделью."
    ),
    "The intervals overlap, so the difference to the next best may be chance: more rungs need not help.": (
        "Интервалы перекрываются, так что отличие от ближайшего соперника может быть случайным: "
        "следующие ступени не обязательно помогут."
    ),
    "Against the plain linear head on {network} the model gains {points} points on the same {n:# picture|# "
    "pictures} (95 % interval {low} to {high}): it is right on {gained} that the other takes for another class, "
    "and wrong on {lost} that the other knows.": (
        "По сравнению с простым линейным классификатором на сети {network} модель прибавляет {points} п. п. на тех же "
        "{n:# изображении|# изображениях|# изображениях} (95-процентный интервал от {low} до {high}): верно "
        "распознаёт {gained} из тех, на которых тот ошибается, и ошибается на {lost} из тех, которые он распознаёт."
    ),
    "The ladder": "Лестница",
    "rung": "ступень",
    "network": "сеть",
    "left out in training": "на отложенных частях обучающей выборки",
    "took": "заняло",
    # learning
    "{last} of {of:# epoch|# epochs}": "Пройдено {last} из {of:# эпохи|# эпох|# эпох}",
    "the model is the one after epoch {best}, the best on the validation pictures": (
        "модель взята после эпохи {best}, лучшей на валидационной выборке"
    ),
    "It was still at its best when training ended, so more epochs might help.": (
        "К концу обучения качество ещё росло, так что дополнительные эпохи могли бы помочь."
    ),
    "The training loss counts softened labels and varied pictures, so it lies higher than that of validation would.": (
        "Потери при обучении считаются со сглаженными метками и на изменённых изображениях, поэтому лежат выше, чем "
        "лежали бы на валидации."
    ),
    "The fine line is the loss of single steps.": "Тонкая линия — потери на отдельных шагах.",
    "What the axes leave out of the steep beginning is in the numbers below.": (
        "Крутое начало, не вошедшее в оси, есть в таблице ниже."
    ),
    "Loss": "Потери",
    "mean cross-entropy, nats": "средняя перекрёстная энтропия, наты",
    "Accuracy": "Точность",
    "% of pictures": "% изображений",
    "The same as numbers": "То же в числах",
    "Numbers of every epoch": "Числа каждой эпохи",
    "training loss": "потери, обучение",
    "validation loss": "потери, валидация",
    "training accuracy": "точность, обучение",
    "validation accuracy": "точность, валидация",
    "after": "спустя",
    "Loss per epoch, training and validation": "Потери по эпохам на обучающей и валидационной выборках",
    "Accuracy in percent per epoch, training and validation": (
        "Точность в процентах по эпохам на обучающей и валидационной выборках"
    ),
    # time
    "reading pictures": "чтение изображений",
    "everything else": "всё остальное",
    "Time: {parts}": "Время: {parts}",
    "{time} in all": "Всего {time}",
    "{n:# picture|# pictures} a second in training": (
        "{n:# изображение|# изображения|# изображений} в секунду при обучении"
    ),
    "What was measured and chosen on this machine": "Что измерено и выбрано на этом компьютере",
    # again
    "seed": "начальное число генератора",
    "machine": "компьютер",
    "Fingerprints (SHA-256)": "Отпечатки (SHA-256)",
    "manifest.json holds the list of files with a digest of each, so its fingerprint stands for the data.": (
        "В manifest.json перечислены все файлы с их контрольными суммами, поэтому его отпечаток — это отпечаток данных."
    ),
}

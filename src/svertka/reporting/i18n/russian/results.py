"""Scores, classes, confusion and mistakes."""

SENTENCES = {
    # scores
    "The test pictures were looked at once, after everything was decided.": (
        "На тестовую выборку взглянули один раз, когда всё уже было решено."
    ),
    "The validation pictures chose the best epoch, so their accuracy flatters a little; the classes and mistakes "
    "below are shown for them, so that you can learn from them without using up the test.": (
        "По валидационной выборке выбрана лучшая эпоха, поэтому точность на ней немного завышена; классы и ошибки ниже "
        "показаны на ней, чтобы можно было учиться на них, не расходуя тест."
    ),
    "There was no test part. The validation pictures also chose the best epoch, so these numbers flatter a "
    "little; only pictures that were never used tell the plain truth.": (
        "Тестовой выборки не было. По валидационной выбрана и лучшая эпоха, поэтому числа немного завышены; "
        "чистую правду говорят только изображения, которые ни разу не использовались."
    ),
    "Intervals: Wilson 1927. Balanced accuracy: the mean of all classes’ recalls. Calibration error: the mean gap "
    "between how sure the network is and how often it is right, in 15 bins of equal width (Guo et al. 2017); on "
    "few pictures it is above zero even for a perfect network.": (
        "Интервалы: Уилсон, 1927. Сбалансированная точность: среднее по классам от доли найденного. Ошибка калибровки: "
        "средняя разница между уверенностью сети и тем, как часто она права, по 15 интервалам равной ширины "
        "(Guo и др., 2017); на малом числе изображений она больше нуля даже у идеальной сети."
    ),
    "Balanced accuracy": "Сбалансированная точность",
    "Truth among the first five": "Верный ответ среди первых пяти",
    "Loss (nats)": "Потери (наты)",
    "Calibration error": "Ошибка калибровки",
    "Pictures": "Изображений",
    # classes
    "The share of each class’s test pictures that is found (recall), the weakest first.": (
        "Какая доля тестовых изображений каждого класса найдена (полнота); самые слабые классы сверху."
    ),
    "The share of each class’s validation pictures that is found (recall), the weakest first.": (
        "Какая доля валидационных изображений каждого класса найдена (полнота); самые слабые классы сверху."
    ),
    "The line is the range in which the true share lies with 95&#8239;% confidence (Wilson): long lines mean few "
    "pictures.": (
        "Линия показывает, где с доверительной вероятностью 95&#8239;% лежит истинная доля (Уилсон): чем она "
        "длиннее, тем меньше было изображений."
    ),
    "drawn, in percent": "на рисунке, в процентах",
    "found": "найдено",
    "of": "из",
    "precision": "точность ответа",
    "The other {n:# class|# classes}": "{n:Ещё # класс|Ещё # класса|Ещё # классов}",
    "Precision: of the pictures given this name, the share that deserves it. F1: harmonic mean of both.": (
        "Точность ответа (precision): какая доля изображений, названных этим классом, действительно к нему относится. "
        "F1: среднее гармоническое точности и полноты."
    ),
    # confusion
    "Each row is a true class, each column an answer.": "Строка — истинный класс, столбец — ответ.",
    "Each row is a true class, each column an answer, each number a count of test pictures.": (
        "Строка — истинный класс, столбец — ответ, число — сколько таких тестовых изображений."
    ),
    "Each row is a true class, each column an answer, each number a count of validation pictures.": (
        "Строка — истинный класс, столбец — ответ, число — сколько таких валидационных изображений."
    ),
    "Blue cells on the diagonal are right, orange ones are mistakes; the deeper, the larger the share of the row.": (
        "Синие клетки на диагонали — верные ответы, оранжевые — ошибки; чем гуще цвет, тем больше доля строки."
    ),
    "The {all} classes stand in an order in which those that are taken for each other are neighbors (average "
    "linkage).": (
        "Классы ({all}) стоят в таком порядке, что те, которые принимаются друг за друга, — соседи (метод "
        "средней связи)."
    ),
    "Framed are the groups with the most mistakes among themselves, {inside} of {wrong} in all; each follows below "
    "with its numbers.": (
        "В рамках — группы, внутри которых ошибок больше всего: {inside} из {wrong}; ниже каждая показана с числами."
    ),
    "larger": "крупнее",
    "{n:# mistake|# mistakes} among {k:# picture|# pictures}": (
        "{n:# ошибка|# ошибки|# ошибок} на {k:# изображение|# изображения|# изображений}"
    ),
    "Confusion matrix of group {n}": "Матрица ошибок группы {n}",
    "The confusion matrix of {n:# class|# classes}, rows the truth, columns the prediction": (
        "Матрица ошибок для {n:# класса|# классов|# классов}: строки — истина, столбцы — ответ"
    ),
    "{n:# more|# more}": "ещё {n:#|#|#}",
    "Confusion matrix": "Матрица ошибок",
    "Most often confused": "Чаще всего путает",
    "<b><bdi>{truth}</bdi></b> taken for <b class=wrong><bdi>{guess}</bdi></b>: {n} of {of}": (
        "<b><bdi>{truth}</bdi></b> принято за <b class=wrong><bdi>{guess}</bdi></b>: {n} из {of}"
    ),
    # mistakes
    "None: {pictures}, and all are answered right.": "Ошибок нет: из {pictures} на все дан верный ответ.",
    "{n:# mistake|# mistakes} among {pictures}.": "{n:# ошибка|# ошибки|# ошибок} из {pictures}.",
    "The surest come first.": "Сначала самые уверенные.",
    "Here are the {n} that the network was surest of.": "Вот {n}, в которых сеть была увереннее всего.",
    "Here are {n} of them, the surest first.": "Вот {n} из них, сначала самые уверенные.",
    "Look at them: some may be wrong labels rather than wrong answers.": (
        "Посмотрите на них: иногда неверен не ответ, а метка."
    ),
    "A picture of {truth}, taken for {guess}": "Изображение класса {truth}, принятое за {guess}",
    "is <b><bdi>{truth}</bdi></b>, taken for <b class=wrong><bdi>{guess}</bdi></b>": (
        "это <b><bdi>{truth}</bdi></b>, принято за <b class=wrong><bdi>{guess}</bdi></b>"
    ),
    "{confidence} sure · truth {given}": "уверенность {confidence} · верному классу {given}",
}

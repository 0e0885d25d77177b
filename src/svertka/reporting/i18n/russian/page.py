"""The head of the page, words that several sections share, and charts."""

SENTENCES = {
    # page
    "svertka report": "отчёт svertka",
    "Report of a training run": "Отчёт об обучении",
    "accuracy": "верных ответов",
    "95&#8239;% interval": "95-процентный интервал",
    "95\u202f% interval": "95-процентный интервал",
    "Accuracy against the baseline": "Точность в сравнении с простейшим ответом",
    "share of right answers, %": "доля верных ответов, %",
    "Cautions": "Предостережения",
    "Contents": "Содержание",
    "Made by svertka from the run folder alone; every number here can be computed again from its files.": (
        "Сделано программой svertka по одной лишь папке запуска; каждое число можно заново вычислить по её файлам."
    ),
    "Always the most frequent class": "Всегда самый частый класс",
    "Test pictures": "Тестовая выборка",
    "Validation pictures": "Валидационная выборка",
    # parts
    "training": "обучение",
    "validation": "валидация",
    "test": "тест",
    "no part yet": "пока без выборки",
    "{n:# training picture|# training pictures}": (
        "{n:# обучающего изображения|# обучающих изображений|# обучающих изображений}"
    ),
    "{n:# validation picture|# validation pictures}": (
        "{n:# валидационного изображения|# валидационных изображений|# валидационных изображений}"
    ),
    "{n:# test picture|# test pictures}": "{n:# тестового изображения|# тестовых изображений|# тестовых изображений}",
    "on {n:# training picture|# training pictures}": (
        "на {n:# обучающем изображении|# обучающих изображениях|# обучающих изображениях}"
    ),
    "on {n:# validation picture|# validation pictures}": (
        "на {n:# валидационном изображении|# валидационных изображениях|# валидационных изображениях}"
    ),
    "on {n:# test picture|# test pictures}": (
        "на {n:# тестовом изображении|# тестовых изображениях|# тестовых изображениях}"
    ),
    # numbers and values
    "{x} s": "{x}\u202fс",
    "{m} min {s} s": "{m}\u202fмин {s}\u202fс",
    "{h} h {m} min": "{h}\u202fч {m}\u202fмин",
    "The check of the data found {n:# thing|# things} worth a look, under “Check”.": (
        "Проверка данных нашла {n:# вещь, которую|# вещи, которые|# вещей, которые} стоит посмотреть: раздел "
        "«Проверка»."
    ),
    "{x} GB": "{x} ГБ",
    "{x} MB": "{x}\u202fМБ",
    "{x} kB": "{x}\u202fкБ",
    "none": "нет",
    "yes": "да",
    "no": "нет",
    "{names} and {n} more": "{names} и ещё {n}",
    # verdict
    "On {n:# test picture|# test pictures}, scored once at the end, the network is right in {right} of the cases; "
    "for new pictures of the same kind expect {expect} (95\u202f% confidence).": (
        "На {n:# тестовом изображении|# тестовых изображениях|# тестовых изображениях}, проверенных один раз в "
        "самом конце, сеть отвечает верно в {right} случаев; на новых изображениях того же рода ожидайте {expect} "
        "(с доверительной вероятностью 95\u202f%)."
    ),
    "On {n:# validation picture|# validation pictures} that it did not learn from, the network is right in {right} "
    "of the cases; for new pictures of the same kind expect {expect} (95\u202f% confidence).": (
        "На {n:# валидационном изображении, на котором|# валидационных изображениях, на которых|"
        "# валидационных изображениях, на которых} сеть не училась, она отвечает верно в {right} случаев; на новых "
        "изображениях того же рода ожидайте {expect} (с доверительной вероятностью 95\u202f%)."
    ),
    "Always answering {name}, the most frequent class, would be right in {share}.": (
        "Если всегда отвечать {name} (это самый частый класс), верных ответов будет {share}."
    ),
    "Always answering {name}, the most frequent class, would be right in {share}: these pictures do not show "
    "that the network does better than that.": (
        "Если всегда отвечать {name} (это самый частый класс), верных ответов будет {share}: по этим изображениям "
        "не видно, чтобы сеть справлялась лучше."
    ),
    "It is weakest on {name}: of {pictures}, {share} are found.": (
        "Хуже всего она узнаёт {name}: из {pictures} найдено {share}."
    ),
    "No class is surely worse than the others.": "Ни один класс не узнаётся заведомо хуже других.",
    # cautions
    "{n:# picture is|# pictures are} few: the accuracy is known to about ±{half:# point|# points} only, and another "
    "network tried on as many pictures must differ by more than about {both:# point|# points} to count as better or "
    "worse. Four times as many pictures would halve that.": (
        "{n:# изображение — это|# изображения — это|# изображений — это} мало: точность известна лишь до ±{half:# "
        "процентного пункта|# процентных пунктов|# процентных пунктов}, и другую сеть, проверенную на стольких же "
        "изображениях, можно считать лучше или хуже, только если разница больше примерно {both:# пункта|# "
        "пунктов|# пунктов}. Вчетверо больше изображений уменьшили бы это вдвое."
    ),
    "This run holds no predictions, so how well the network does is not known.": (
        "В этом запуске нет предсказаний, поэтому качество сети неизвестно."
    ),
    "Fewer than five test pictures show {names}: their own accuracy is hardly known.": (
        "Меньше пяти тестовых изображений у классов {names}: их собственная точность почти неизвестна."
    ),
    "Fewer than five validation pictures show {names}: their own accuracy is hardly known.": (
        "Меньше пяти валидационных изображений у классов {names}: их собственная точность почти неизвестна."
    ),
    "metrics.json says {written} for the {part} part, the predictions give {computed}; this page follows "
    "the predictions.": (
        "В metrics.json для выборки «{part}» записано {written}, а по предсказаниям выходит {computed}; "
        "здесь показано то, что следует из предсказаний."
    ),
    "Training was stopped before its end; this is the best of what had been learned by then.": (
        "Обучение остановлено до срока; здесь лучшее из того, что сеть успела выучить."
    ),
    # charts
    "epoch": "эпоха",
    "best: epoch {n}": "лучшая: эпоха {n}",
    "truth": "верно",
    "prediction": "ответ",
    "{truth} found: {n} of {of} ({share})": "{truth} — верный ответ: {n} из {of} ({share})",
    "{truth} taken for {guess}: {n} of {of} ({share})": "{truth} принято за {guess}: {n} из {of} ({share})",
}

"""Calibration, slices, suspected labels; runs compared and repeated."""

SENTENCES = {
    "Calibration": "Калибровка",
    "Is it as right as it is sure?": "Права ли сеть так часто, как уверена?",
    "Failures": "Слабые места",
    "Where it fails": "Где сеть ошибается",
    "Confidence and accuracy lie {ece:.1f} points apart, no more than chance gives a calibrated network on as many "
    "pictures (about {noise:.1f}, rarely above {limit:.1f}).": (
        "Уверенность и точность расходятся на {ece:.1f} п. п. — не больше, чем случайно у откалиброванной сети на "
        "стольких же изображениях (около {noise:.1f}, редко больше {limit:.1f})."
    ),
    "Confidence and accuracy lie {ece:.1f} points apart, where chance gives a calibrated network about {noise:.1f}: "
    "on the whole it is surer than it is right.": (
        "Уверенность и точность расходятся на {ece:.1f} п. п., тогда как случайность даёт откалиброванной сети около "
        "{noise:.1f}: в целом сеть увереннее, чем права."
    ),
    "Confidence and accuracy lie {ece:.1f} points apart, where chance gives a calibrated network about {noise:.1f}: on "
    "the whole it is right more often than it is sure.": (
        "Уверенность и точность расходятся на {ece:.1f} п. п., тогда как случайность даёт откалиброванной сети около "
        "{noise:.1f}: в целом сеть права чаще, чем уверена."
    ),
    "Each line shows pictures of about the same confidence: the stroke is how sure the network was of them, the dot "
    "how often it was right.": (
        "В каждой строке изображения примерно одной уверенности: чёрточка — насколько сеть была уверена, точка — как "
        "часто права."
    ),
    "corrected p": "p с поправкой",
    "how sure": "уверенность",
    "how often right": "доля верных",
    "95 % interval": "интервал 95 %",
    "Answering only when sure": "Отвечать, только когда уверена",
    "A network may leave the unsure pictures to a person: <code>svertka predict --reject</code> takes an accuracy and "
    "says “unsure” where it cannot be promised.": (
        "Неуверенные изображения сеть может оставить человеку: <code>svertka predict --reject</code> принимает нужную "
        "точность и отвечает «не уверена» там, где её нельзя обещать."
    ),
    "answered": "отвечено",
    "from a confidence of": "при уверенности от",
    "right": "верно",
    "surely at least": "наверняка не меньше",
    "{n:# kind|# kinds} of pictures were held against the others, by size, brightness, sharpness, border, folder and "
    "more; these differ beyond chance, or belong to one class.": (
        "{n:# вид изображений сравнён|# вида изображений сравнены|# видов изображений сравнены} с остальными: по "
        "размеру, яркости, резкости, краю, папке и другому; эти отличаются не случайно или принадлежат одному классу."
    ),
    "{n:# kind|# kinds} of pictures were held against the others, by size, brightness, sharpness, border, folder and "
    "more: none differs beyond chance, and none belongs to one class.": (
        "{n:# вид изображений сравнён|# вида изображений сравнены|# видов изображений сравнены} с остальными: по "
        "размеру, яркости, резкости, краю, папке и другому: ни один не отличается от них неслучайно и не принадлежит "
        "одному классу."
    ),
    "Kinds of pictures": "Виды изображений",
    "pictures with": "изображения, у которых",
    "the others": "остальные",
    "what to think of it": "что это значит",
    "beyond chance": "не случайно",
    "{share} of them are {owner}, {usual} elsewhere: the network may have learned this instead": (
        "{share} из них — {owner}, среди остальных {usual}: возможно, сеть выучила именно это"
    ),
    "Fisher’s exact test; p-values are corrected for all kinds that were looked at (Holm 1979).": (
        "Точный критерий Фишера; p-значения исправлены на число всех просмотренных видов (Холм, 1979)."
    ),
    "Labels that look wrong": "Метки, похожие на ошибочные",
    "{n:# label is|# labels are} doubted by confident learning (Northcutt et al. 2021).": (
        "{n:# метка вызывает|# метки вызывают|# меток вызывают} сомнение (уверенный ответ "
        "против метки, Northcutt и др., 2021)."
    ),
    "How far to trust that: labels were swapped on purpose; {found} of them were doubted, and {precise} of all doubted "
    "ones were these.": (
        "Насколько этому верить: часть меток подменили нарочно; сомнение вызвали {found} из них, и они составили "
        "{precise} всех сомнительных."
    ),
    "labeled <b><bdi>{label}</bdi></b>, looks like <b><bdi>{guess}</bdi></b>": (
        "метка <b><bdi>{label}</bdi></b>, похоже на <b><bdi>{guess}</bdi></b>"
    ),
    "{confidence} sure · label {given}": "уверенность {confidence} · метка {given}",
    "{confidence} sure": "уверенность {confidence}",
    "Where it was least certain": "Где сеть была уверена меньше всего",
    "Between the first and the second answer lies the least here: more pictures like these would teach it the most.": (
        "Здесь первый и второй ответы ближе всего друг к другу: такие изображения научили бы сеть большему."
    ),
    "<b><bdi>{label}</bdi></b>, answered right": "<b><bdi>{label}</bdi></b>, отвечено верно",
    "Which, the most doubtful first": "Какие; самые сомнительные первыми",
    "label": "метка",
    "looks like": "похоже на",
    "None.": "Нет.",
    "size in pixels": "размер в пикселях",
    "width by height": "отношение ширины к высоте",
    "sharpness": "резкость",
    "even area": "ровная площадь",
    "border brightness": "яркость края",
    "border redness": "краснота края",
    "border greenness": "зелень края",
    "border blueness": "синева края",
    "JPEG quality": "качество JPEG",
    "format": "формат",
    "camera": "камера",
    "folder": "папка",
    "group": "группа",
    "copies of another": "копии другого",
    "learned from as well": "изображение есть и в обучении",
    "pictures": "изображений",
    "svertka compare": "svertka compare",
    "svertka repeats": "svertka: повторы",
    "{other} and {one} are right on the same of {n} pictures: no difference.": (
        "{other} и {one} правы на одних и тех же изображениях (всего {n}): разницы нет."
    ),
    "{other} is not shown to differ from {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; "
    "{low:+.1f} to {high:+.1f} points).": (
        "Не показано, что {other} отличается от {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от "
        "{low:+.1f} до {high:+.1f} п. п.)."
    ),
    "{other} is better than {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; {low:+.1f} to "
    "{high:+.1f} points).": (
        "{other} лучше, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от {low:+.1f} до "
        "{high:+.1f} п. п.)."
    ),
    "{other} is better than {one}: it gains {gained} pictures and loses {lost} of {n} (p < 0.0001; {low:+.1f} to "
    "{high:+.1f} points).": (
        "{other} лучше, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p < 0,0001; от {low:+.1f} до "
        "{high:+.1f} п. п.)."
    ),
    "{other} is worse than {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; {low:+.1f} to "
    "{high:+.1f} points).": (
        "{other} хуже, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от {low:+.1f} до "
        "{high:+.1f} п. п.)."
    ),
    "{other} is worse than {one}: it gains {gained} pictures and loses {lost} of {n} (p < 0.0001; {low:+.1f} to "
    "{high:+.1f} points).": (
        "{other} хуже, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p < 0,0001; от {low:+.1f} до {high:+.1f} "
        "п. п.)."
    ),
    "{n:# seed|# seeds}: right in {mean:.2f}% of the cases on average, from {least:.2f}% to {most:.2f}%, deviation "
    "{points:.2f} points; 95 % interval {low:.2f}% to {high:.2f}%.": (
        "{n:# запуск|# запуска|# запусков} с разным случайным началом: в среднем верно {mean:.2f} %, от {least:.2f} % "
        "до {most:.2f} %, отклонение {points:.2f} п. п.; интервал 95 % от {low:.2f} % до {high:.2f} %."
    ),
    "{n:# fold|# folds}: right in {mean:.2f}% of the cases on average, from {least:.2f}% to {most:.2f}%, deviation "
    "{points:.2f} points; 95 % interval {low:.2f}% to {high:.2f}%.": (
        "{n:# часть|# части|# частей}: в среднем верно {mean:.2f} %, от {least:.2f} % до {most:.2f} %, отклонение "
        "{points:.2f} п. п.; интервал 95 % от {low:.2f} % до {high:.2f} %."
    ),
    "{n:# seed|# seeds}: right in {mean:.2f}% of the cases on average; 95 % interval {low:.2f}% to {high:.2f}%.": (
        "{n:# запуск|# запуска|# запусков}: в среднем верно {mean:.2f} %; интервал 95 % от {low:.2f} % до {high:.2f} %."
    ),
    "{n:# fold|# folds}: right in {mean:.2f}% of the cases on average; 95 % interval {low:.2f}% to {high:.2f}%.": (
        "{n:# часть|# части|# частей}: в среднем верно {mean:.2f} %; интервал 95 % от {low:.2f} % до {high:.2f} %."
    ),
    "Comparison of runs": "Сравнение запусков",
    "Accuracy of each run": "Точность каждого запуска",
    "{n:# picture|# pictures} that all runs answered and none learned from; {k:# other is|# others are} left out.": (
        "{n:# изображение|# изображения|# изображений}, на которые ответили все запуски и на которых ни один не "
        "учился; {k:# другое не взято|# других не взяты|# других не взяты}."
    ),
    "Pictures are the same when their bytes are. The intervals above overlap more than the difference deserves, "
    "because the same pictures judge all: the test is of the pictures that changed (McNemar 1947, exact; interval "
    "of the difference: Newcombe 1998).": (
        "Изображения одинаковы, если одинаковы их байты. Интервалы выше перекрываются сильнее, чем заслуживает "
        "разница, ведь всех судят одни и те же изображения: проверяются те, на которых ответ изменился (точный "
        "критерий Макнемара, 1947; интервал разницы: Newcombe, 1998)."
    ),
    "Change by class": "Изменения по классам",
    "gained": "стало верно",
    "lost": "стало неверно",
    "p, not corrected": "p без поправки",
    "Pictures that changed": "Изображения, на которых ответ изменился",
    "{n} of {all}, those of which a run was surest first.": (
        "{n} из {all}; первыми те, в которых запуск был уверен сильнее."
    ),
    "No picture changed from right to wrong, or from wrong to right.": (
        "Ни одно изображение не перешло из верных в неверные или обратно."
    ),
    "Made by svertka from the run folders; the pictures come from the data of the first run, where they are still "
    "there.": (
        "Сделано svertka по папкам запусков; изображения взяты из данных первого запуска, если они ещё на месте."
    ),
    "Repeated training: {n:# fold|# folds}": "Повторное обучение: {n:# часть|# части|# частей}",
    "Repeated training: {n:# seed|# seeds}": (
        "Повторное обучение: {n:# начальное число|# начальных числа|# начальных чисел}"
    ),
    "Each run was judged by its own fold and learned from the others, so every picture judged once.": (
        "Каждый запуск судила своя часть, а учился он на остальных, так что каждое изображение судило один раз."
    ),
    "All runs were judged by the same pictures; only the seed of training differs.": (
        "Все запуски судили одни и те же изображения; отличается только начальное число обучения."
    ),
    "Each run has a report of its own in its folder.": "У каждого запуска в его папке есть свой отчёт.",
    "run": "запуск",
    "mean": "среднее",
    "Standard deviation between the runs: {points:.2f} points.": (
        "Стандартное отклонение между запусками: {points:.2f} п. п."
    ),
    "Made by svertka from repeats.json beside it.": "Сделано svertka из repeats.json рядом.",
}

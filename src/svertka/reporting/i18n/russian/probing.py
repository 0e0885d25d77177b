"""Changed pictures, and simpler answers beside the network."""

SENTENCES = {
    "Changes": "Изменения",
    "How far pictures may change": "Насколько изображения могут измениться",
    "Baselines": "Простые ответы",
    "Beside something simpler": "Рядом с чем-то более простым",
    "The pictures of this run cannot be opened again, so how far they may change and what simpler answers reach is not "
    "shown: {why}": (
        "Изображения этого запуска нельзя открыть снова, поэтому не показано, насколько они могут измениться и чего "
        "достигают более простые ответы: {why}"
    ),
    "How many of {pictures} are answered right by something simpler: always the class that is most frequent in "
    "training; the training pictures most alike in color; a tiny network that saw the pictures very small, for a few "
    "seconds.": (
        "Сколько верных ответов ({pictures}) даёт что-то более простое: всегда самый частый класс обучающей выборки; "
        "самые похожие по цвету обучающие изображения; крошечная сеть, которая несколько секунд училась на очень "
        "маленьких изображениях."
    ),
    "The network is surely better than all of them.": "Сеть наверняка лучше их всех.",
    "The network is not surely better than “{name}”: it may have learned little more.": (
        "Сеть не наверняка лучше, чем «{name}»: возможно, она выучила немногим больше."
    ),
    "most frequent class": "самый частый класс",
    "nearest neighbors in color": "ближайшие соседи по цвету",
    "tiny network": "крошечная сеть",
    "this network": "эта сеть",
    "answered by": "отвечает",
    "p against this network": "p против этой сети",
    "Intervals: Wilson 1927; p: McNemar 1947, exact, where single answers are kept.": (
        "Интервалы: Уилсон, 1927; p: точный критерий Макнемара, 1947, где отдельные ответы сохранены."
    ),
    "On {pictures} as they are the network is right in {share} (95 % interval {interval}). Here they are changed in "
    "one way at a time, more and more. A change is called surely worse where its whole interval lies below that of the "
    "pictures as they are (gray).": (
        "Без изменений сеть права в {share} случаев ({pictures}; интервал 95 % {interval}). Здесь изображения меняются "
        "каждый раз одним способом, всё сильнее. «Наверняка хуже» — там, где весь интервал лежит ниже интервала "
        "неизменённых изображений (серый)."
    ),
    "of {n}": "из {n}",
    "Where there was no time for all pictures, the row says how many were asked about.": (
        "Где на все изображения не хватило времени, в строке сказано, о скольких спрашивали."
    ),
    "There was no time for: {names}.": "Не хватило времени на: {names}.",
    "The numbers of these curves": "Числа этих кривых",
    "change": "изменение",
    "strength": "сила",
    "never surely worse": "нигде не хуже наверняка",
    "surely worse from {x} on ({unit})": "наверняка хуже начиная с {x} ({unit})",
    "Turned": "Поворот",
    "Moved": "Сдвиг",
    "Blurred": "Размытие",
    "Noisy": "Шум",
    "Darker": "Темнее",
    "Brighter": "Светлее",
    "Saved as JPEG": "Сохранение в JPEG",
    "degrees": "градусы",
    "percent of the side": "проценты стороны",
    "width of the blur in percent of the side": "ширина размытия в процентах стороны",
    "noise in percent of white": "шум в процентах от белого",
    "brightness in percent": "яркость в процентах",
    "quality": "качество",
}

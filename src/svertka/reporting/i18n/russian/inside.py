"""What the network looks at, and what is in it."""

SENTENCES = {
    "Inside": "Внутри",
    "What it looks at, and what is in it": "Куда сеть смотрит и что у неё внутри",
    "Yellow is what spoke for a class, by Grad-CAM at the layer <code>{layer}</code>: the maps of the layer, "
    "weighed by what each does for the class. It tells where the network looked, not whether it was right to.": (
        "Жёлтым показано то, что говорило за класс, по методу Grad-CAM на слое <code>{layer}</code>: карты слоя, "
        "взвешенные по их вкладу в класс. Видно, куда сеть смотрела, но не то, права ли она."
    ),
    "a picture of <b><bdi>{name}</bdi></b>": "изображение класса <b><bdi>{name}</bdi></b>",
    "for <b><bdi>{name}</bdi></b>": "за <b><bdi>{name}</bdi></b>",
    "for <bdi>{name}</bdi>": "за <bdi>{name}</bdi>",
    "Where it looked for {name}": "Куда сеть смотрела, отвечая {name}",
    "The filters of the first layer": "Фильтры первого слоя",
    "{n:# filter|# filters} of {size} pixels, as the network learned them: gray is a weight of zero, lighter "
    "adds, darker takes away.": (
        "{n:# фильтр|# фильтра|# фильтров} размером {size} пикселей, какими их выучила сеть: серый — нулевой вес, "
        "светлое прибавляет, тёмное вычитает."
    ),
    "The filters of the first layer as small pictures": "Фильтры первого слоя в виде маленьких изображений",
    "What the layers make of this picture": "Что слои делают с этим изображением",
    "From each layer the feature maps that vary most over the picture; bright is where a filter found what it "
    "looks for.": (
        "Из каждого слоя взяты карты признаков, которые сильнее всего меняются по изображению; ярко там, где "
        "фильтр нашёл то, что ищет."
    ),
    "{n:# map|# maps} of {size}, here the channels {channels}": (
        "{n:# карта|# карты|# карт} размером {size}, здесь каналы {channels}"
    ),
    "Feature maps of the layer {layer}": "Карты признаков слоя {layer}",
    "How much of the picture one place sees": "Какую часть изображения видит одно место карты",
    "The frames show which pixels the middle place of each layer can see (receptive field, cut at the border); "
    "beside it, how much each pixel really moves the middle place of <code>{layer}</code>, averaged over the "
    "pictures of this report.": (
        "Рамки показывают, какие пиксели может видеть среднее место каждого слоя (рецептивное поле, обрезанное по "
        "краю); рядом — насколько каждый пиксель на самом деле меняет среднее место слоя <code>{layer}</code> в "
        "среднем по изображениям этого отчёта."
    ),
    "Receptive fields of the layers as frames on the picture": "Рецептивные поля слоёв в виде рамок на изображении",
    "can see": "может видеть",
    "Effective receptive field as heat on the picture": "Эффективное рецептивное поле на изображении",
    "does see": "видит на самом деле",
    "{size} of {input} pixels": "{size} из {input} пикселей",
    "What excites its channels": "Что возбуждает её каналы",
    "For some channels of <code>{layer}</code>, the parts of pictures of this report that excite them most, cut "
    "at what the place can see.": (
        "Для нескольких каналов слоя <code>{layer}</code> — участки изображений этого отчёта, которые возбуждают "
        "их сильнее всего, вырезанные по рецептивному полю."
    ),
    "channel {n}": "канал {n}",
    "A patch that excites channel {n}": "Участок, возбуждающий канал {n}",
    "What its channels dream of": "О чём мечтают её каналы",
    "Pictures made by gradient ascent, from noise, to excite these channels: what they look for, exaggerated.": (
        "Изображения, полученные из шума градиентным подъёмом так, чтобы возбуждать эти каналы: то, что они ищут, "
        "в преувеличенном виде."
    ),
    "A picture made to excite channel {n}": "Изображение, созданное, чтобы возбуждать канал {n}",
    "A second opinion": "Второе мнение",
    "Grad-CAM beside Score-CAM, which needs no gradient: it shows the network the picture through each map and "
    "looks at the score.": (
        "Grad-CAM рядом со Score-CAM, которому не нужен градиент: он показывает сети изображение сквозь каждую "
        "карту и смотрит на оценку."
    ),
    "Grad-CAM for {name}": "Grad-CAM за {name}",
    "Score-CAM for {name}": "Score-CAM за {name}",
    "Are these explanations true?": "Верны ли эти объяснения?",
    "Tested on {n:# picture|# pictures}. Deletion: the mean probability of the class while the hottest pixels go "
    "first (small is good). Insertion: while they come first (large is good). When shuffled: how alike the heat "
    "is when the weights of the network are shuffled, from −1 to 1; an explanation that stays the same tells of "
    "the picture and not of the network.": (
        "Проверено на {n:# изображении|# изображениях|# изображениях}. Удаление: средняя вероятность класса, пока "
        "самые важные пиксели убирают первыми (хорошо, когда мала). Вставка: пока их первыми возвращают (хорошо, "
        "когда велика). После перемешивания: насколько похожа карта, когда веса сети перемешаны, от −1 до 1; "
        "объяснение, которое не меняется, говорит об изображении, а не о сети."
    ),
    "Tests of the explanations": "Проверка объяснений",
    "method": "метод",
    "deletion": "удаление",
    "insertion": "вставка",
    "when shuffled": "после перемешивания",
    "hardly depends on what was learned": "почти не зависит от выученного",
    # mistakes with their explanations
    "Beside each: where the network looked for its answer, and for the class that it held for the next likely "
    "(yellow speaks for the class).": (
        "Рядом с каждой: куда сеть смотрела, отвечая, и куда — ради следующего по вероятности класса (жёлтое "
        "говорит за класс)."
    ),
    "For {n:# of them|# of them} there was no time to look; <code>svertka report</code> on the run folder does it.": (
        "Для {n:# из них|# из них|# из них} на это не хватило времени; команда <code>svertka report</code> с "
        "папкой запуска это сделает."
    ),
    "heat for <bdi>{own}</bdi> and <bdi>{against}</bdi>": "показано за <bdi>{own}</bdi> и <bdi>{against}</bdi>",
    "This run was written by an earlier version, which kept its pictures smaller: where the network looked in "
    "them is not shown. Training again shows it.": (
        "Этот запуск записан более ранней версией, хранившей изображения уменьшенными: куда на них смотрела сеть, "
        "не показано. Новое обучение это покажет."
    ),
    "The network cannot be opened, so what it looks at is not shown: {why}": (
        "Сеть не удалось открыть, поэтому не показано, куда она смотрит: {why}"
    ),
    "Of the maps, at most the {n} that vary most are tried.": (
        "Из карт пробуются не более {n} — те, что меняются сильнее всего."
    ),
    "where it looked in all of the mistakes": "куда сеть смотрела на всех ошибках",
    "the first filters": "первые фильтры",
    "feature maps": "карты признаков",
    "receptive fields": "поля восприятия",
    "what excites its channels": "что возбуждает каналы",
    "the second opinion": "второе мнение",
    "what its channels dream of": "что снится каналам",
    "tests of the explanations": "проверки объяснений",
    "About {allowed} were allowed for this look, {took} were taken, which was not enough for: {names}. "
    "<code>svertka report --full --minutes 10</code> on the run folder looks longer.": (
        "На осмотр было отведено около {allowed}, ушло {took}; этого не хватило на: {names}. "
        "<code>svertka report --full --minutes 10</code> для папки запуска посмотрит дольше."
    ),
    "This look took {took}; nothing was left out.": "Осмотр занял {took}; ничего не опущено.",
}

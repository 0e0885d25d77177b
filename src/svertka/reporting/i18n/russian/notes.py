"""The reasons of choices, and what was noted of the data: `training.auto`, `verbs.course`, `transfer` and `audit`."""

SENTENCES = {
    # training.auto
    "the pictures are small: their own {side} pixels are kept": (
        "изображения невелики: сохранён их собственный размер, {side} пикс."
    ),
    "from scratch on {n} pictures, detail beyond {side} pixels costs more than it gives": (
        "при обучении с нуля (изображений: {n}) подробности свыше {side} пикселей стоят дороже, чем дают"
    ),
    "the pictures are long ({ratio} to 1): borders keep the whole of them": (
        "изображения вытянуты ({ratio} к 1): поля сохраняют их целиком"
    ),
    "the shorter side is fitted and the middle kept, so that shapes are not distorted": (
        "короткая сторона подгоняется, середина остаётся, и форма не искажается"
    ),
    "the pictures are square": "изображения квадратные",
    "nothing is fetched unasked: training starts from scratch": (
        "без просьбы ничего не скачивается: обучение начинается с нуля"
    ),
    "steps of Muon are smooth already; a longer memory lags behind (LOG.md)": (
        "шаги Muon и так плавны; более долгая память отстаёт (LOG.md)"
    ),
    "the usual": "как обычно",
    "the usual decoupled decay": "обычное отделённое затухание",
    "a strong decay pays in short runs with batch norm": (
        "в коротких обучениях с нормализацией по батчу сильное затухание окупается"
    ),
    "the weights know pictures of this size": "веса знают изображения этого размера",
    "not every network takes pictures of several sizes": "не каждая сеть принимает изображения разных размеров",
    "pictures this small cost little as they are": "такие маленькие изображения и так обходятся дёшево",
    "smaller pictures cost less, and teach what is coarse as well (arXiv:2104.00298)": (
        "уменьшенные изображения обходятся дешевле и так же учат крупным чертам (arXiv:2104.00298)"
    ),
    "keeps the network from betting everything on one class (arXiv:1512.00567)": (
        "не даёт сети ставить всё на один класс (arXiv:1512.00567)"
    ),
    "the one-cycle schedule ends at rate zero, which averages already": (
        "расписание one-cycle заканчивается нулевой скоростью, а это уже усреднение"
    ),
    "color photographs keep their meaning when mirrored": "цветные фотографии при отражении не теряют смысла",
    "a picture and its mirror image are two looks at one thing": (
        "изображение и его отражение — два взгляда на одно и то же"
    ),
    "objects of photographs are not all centered": "предметы на фотографиях не всегда в центре",
    "objects come near and far": "предметы бывают близко и далеко",
    "the pictures are small": "изображения невелики",
    "gray pictures may be signs, which mirroring turns into others": (
        "серые изображения могут быть знаками, а отражение превращает знаки в другие"
    ),
    "as training does": "как при обучении",
    "signs are not all centered to the pixel": "знаки не всегда стоят в центре с точностью до пикселя",
    "whole-pixel shifts need no resampling": "сдвиги на целые пиксели не требуют пересчёта",
    "not every class keeps its meaning when turned": "не всякий класс сохраняет смысл при повороте",
    "not needed at this length": "при такой длине обучения не нужно",
    "{n} passes of `{net}` would fit: fewer of a wider network teach more (LOG.md)": (
        "поместилось бы {n} эпох `{net}`: меньшее их число учит более широкую сеть большему (LOG.md)"
    ),
    "a wide network learns its pictures by heart otherwise (arXiv:1708.04552)": (
        "иначе широкая сеть заучивает изображения наизусть (arXiv:1708.04552)"
    ),
    "{n} color pictures are enough to teach a network of a million weights": (
        "цветных изображений ({n}) хватает, чтобы обучить сеть с миллионом весов"
    ),
    "made for pictures of {size} pixels": "сделана для изображений в {size} пикс.",
    "{n} pictures are too few to teach a larger network from scratch": (
        "изображений ({n}) слишком мало, чтобы обучить с нуля сеть побольше"
    ),
    "as good in one pass as Nesterov's momentum in two or three": (
        "за одну эпоху даёт столько же, сколько импульс Нестерова за две или три"
    ),
    "moves what is learned already no farther than its gradients say": (
        "сдвигает выученное не дальше, чем говорят градиенты"
    ),
    "fresh weights have everything to learn": "новым весам предстоит выучить всё",
    "what the weights have learned is kept; the head learns your classes": (
        "выученное весами сохраняется; вашим классам учится голова"
    ),
    "fresh weights have equally much to learn everywhere": "новым весам везде предстоит выучить одинаково много",
    "the deeper a layer, the less of what it knows fits your classes already (arXiv:1801.06146)": (
        "чем глубже слой, тем меньше из того, что он знает, уже подходит вашим классам (arXiv:1801.06146)"
    ),
    "{steps} steps a pass over {n} pictures": "шагов за эпоху: {steps}, изображений: {n}",
    "{n} color pictures seen in all: accuracy grows little beyond": (
        "всего показов цветных изображений: {n}; дальше точность растёт мало"
    ),
    "{n} gray pictures seen in all: accuracy grows little beyond": (
        "всего показов серых изображений: {n}; дальше точность растёт мало"
    ),
    "the peak that one-cycle {optimizer} bears at batch {batch}": (
        "пик, который {optimizer} с расписанием one-cycle выдерживает при батче {batch}"
    ),
    "as many as {minutes} minutes allow at {seconds} seconds a pass": (
        "столько, сколько помещается в отведённое время (мин: {minutes}) при {seconds} с на эпоху"
    ),
    # transfer
    "the weights are of this network": "веса принадлежат этой сети",
    "of the weights at hand, chosen by accuracy on ImageNet and by how long looking at all pictures takes here": (
        "из имеющихся весов; выбор по точности на ImageNet и по времени, за которое сеть просмотрит здесь изображения"
    ),
    "{names} learned from pictures of this size": "{names}: обучение шло на изображениях этого размера",
    "color photographs keep their meaning when mirrored; gray pictures may be signs": (
        "цветные фотографии при отражении не теряют смысла; серые изображения могут быть знаками"
    ),
    "as the rungs that learn have learned": "так учились ступени, которые учатся",
    "objects are not all centered": "предметы не всегда в центре",
    "objects come near and far; small pictures are not resampled": (
        "предметы бывают близко и далеко; маленькие изображения не пересчитываются"
    ),
    "The rung '{rung}' was left out: one pass takes about {seconds} seconds. More --minutes allow it.": (
        "Ступень «{rung}» пропущена: одна эпоха занимает около {seconds} с. Она поместится при большем --minutes."
    ),
    # audit: pictures that stand out
    "1 picture looks like a placeholder and not like a picture of any class: {path} ({detail}).": (
        "1 изображение похоже на заглушку, а не на изображение какого-либо класса: {path} ({detail})."
    ),
    "{n} pictures look like placeholders and not like pictures of any class, such as {path} ({detail}).": (
        "Таких изображений {n} (похожи на заглушки, а не на изображения какого-то класса), например {path} ({detail})."
    ),
    "1 picture shows almost nothing: {path} ({detail}).": (
        "1 изображение почти ничего не показывает: {path} ({detail})."
    ),
    "{n} pictures show almost nothing, such as {path} ({detail}).": (
        "Таких изображений {n} (почти ничего не показывают), например {path} ({detail})."
    ),
    "1 picture is very dark: {path} ({detail}).": ("1 изображение очень тёмное: {path} ({detail})."),
    "{n} pictures are very dark, such as {path} ({detail}).": (
        "Таких изображений {n} (очень тёмные), например {path} ({detail})."
    ),
    "1 picture is very bright: {path} ({detail}).": ("1 изображение очень светлое: {path} ({detail})."),
    "{n} pictures are very bright, such as {path} ({detail}).": (
        "Таких изображений {n} (очень светлые), например {path} ({detail})."
    ),
    "1 picture is very blurred: {path} ({detail}).": ("1 изображение очень размытое: {path} ({detail})."),
    "{n} pictures are very blurred, such as {path} ({detail}).": (
        "Таких изображений {n} (очень размытые), например {path} ({detail})."
    ),
    "1 picture is much smaller than the others: {path} ({detail}).": (
        "1 изображение намного меньше остальных: {path} ({detail})."
    ),
    "{n} pictures are much smaller than the others, such as {path} ({detail}).": (
        "Таких изображений {n} (намного меньше остальных), например {path} ({detail})."
    ),
    "1 picture has a shape unlike the others: {path} ({detail}).": (
        "1 изображение по форме непохоже на остальные: {path} ({detail})."
    ),
    "{n} pictures have shapes unlike the others, such as {path} ({detail}).": (
        "Таких изображений {n} (по форме непохожи на остальные), например {path} ({detail})."
    ),
    "a {name} among {others} files, {even} of it even color: no photograph": (
        "{name} среди файлов {others}, ровного цвета в нём {even}: не фотография"
    ),
    "almost one color: its gray levels deviate by {deviation} of 255": (
        "почти один цвет: уровни серого отклоняются на {deviation} из 255"
    ),
    "mean brightness {mean} of 255, where {usual} is usual": "средняя яркость {mean} из 255, обычно {usual}",
    "its edges are {times} times weaker than usual (variance of the Laplacian)": (
        "края слабее обычного в {times} раз (дисперсия лапласиана)"
    ),
    "{width} x {height} pixels, where {usual} along the shorter side are usual": (
        "{width} x {height} пикс., обычно {usual} по короткой стороне"
    ),
    "{width} x {height} pixels": "{width} x {height} пикс.",
}

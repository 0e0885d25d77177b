"""What data, check, training and transfer note in the run folder, and the reasons why files were left aside."""

SENTENCES = {
    # names of parts as the run folder has them
    "train": "обучение",
    # data.remote
    "{address} cannot be reached ({why}): what was fetched on {day} is used.": (
        "До {address} не достучаться ({why}): взято то, что было скачано {day}."
    ),
    # data.layout, data.groups, data.earlier, data.manifest
    "The classes {names} differ only by case; if they are one class, join their folders.": (
        "Классы {names} отличаются только регистром букв; если это один класс, объедините папки."
    ),
    "The classes {names} differ only by letters that look alike (Latin and others); if they are one class, join their "
    "folders.": (
        "Классы {names} отличаются только буквами одинакового вида (латинскими и другими); если это один класс, "
        "объедините папки."
    ),
    "{n} folders are one class, {name}: their names look the same and are written differently ({names}).": (
        "Папок, составивших один класс {name}: {n}; их имена выглядят одинаково, а записаны по-разному ({names})."
    ),
    "By their names these folders are taken for parts of the data: {names}.": (
        "По именам эти папки приняты за части данных: {names}."
    ),
    "By their names these places are taken for parts of the data: {names}.": (
        "По именам эти источники приняты за части данных: {names}."
    ),
    "The name of {names} tells no part of the data, beside places that do: what is there is shared out as if it had "
    "none.": (
        "Имя {names} не говорит о части данных, а имена других источников говорят: содержимое делится так, как если бы "
        "частей не было."
    ),
    "Each class folder has parts of its own: they are kept.": "В папке каждого класса есть свои части: они сохранены.",
    "The folder {name} with {n:# picture|# pictures} cannot be used as the {part} part: there are no class folders "
    "inside; put the pictures of each class into a folder of its own there.": (
        "Папку {name}, где {n:# изображение|# изображения|# изображений}, нельзя взять как часть «{part}»: внутри нет "
        "папок классов; положите изображения каждого класса в отдельную папку."
    ),
    "The folder {name} with {n:# picture|# pictures} is not used: its name tells no part of the data; call it train, "
    "val or test, or name it as a place of its own.": (
        "Папка {name}, где {n:# изображение|# изображения|# изображений}, не используется: имя не говорит о части "
        "данных; назовите её train, val или test либо укажите отдельным источником."
    ),
    "The class {name} holds {n:# folder|# folders}, such as {path}, beside classes that hold pictures; if those are "
    "the classes, name {place}.": (
        "В классе {name} лежит {n:# папка|# папки|# папок}, например {path}, а в других классах сами изображения; "
        "если классы — эти папки, укажите {place}."
    ),
    "The class {name} is lost: none of the files in {path} is a picture that is read ({kinds}); save them as JPEG or "
    "PNG.": (
        "Класс {name} потерян: ни один из файлов в {path} не читается как изображение ({kinds}); сохраните их в JPEG "
        "или PNG."
    ),
    "{n} path of {place} is on this disk under other names, such as {name} as {path}.": (
        "Путей из {place}, которые на этом диске называются иначе: {n}, например {name} — это {path}."
    ),
    "{n} paths of {place} are on this disk under other names, such as {name} as {path}.": (
        "Путей из {place}, которые на этом диске называются иначе: {n}, например {name} — это {path}."
    ),
    "The first line of {place} names no columns: it is taken for a row.": (
        "Первая строка {place} не называет столбцов: она принята за строку данных."
    ),
    "The columns {names} of {place} hold zeros and ones: the one with a one is the class.": (
        "В столбцах {names} из {place} нули и единицы: класс — тот столбец, где единица."
    ),
    "The {part} part holds no picture of {names}: how well that is recognized it cannot tell.": (
        "В части «{part}» нет изображений класса {names}: насколько хорошо он узнаётся, она не покажет."
    ),
    "{n:# group stands|# groups stand} in more than one of the given parts, such as {name} (by {by}) in {part} and "
    "{other_part}, there as {path}: the accuracy there will flatter.": (
        "{n:# группа стоит|# группы стоят|# групп стоят} больше чем в одной из заданных частей, например {name} (по "
        "{by}) в частях «{part}» и «{other_part}», там это {path}: точность там окажется приукрашенной."
    ),
    "group_by {pattern} does not match {n:# file|# files}, such as {path}: each is its own group.": (
        "Образец group_by {pattern} не подходит к {n:# файлу|# файлам|# файлам}, например {path}: каждый из них — сам "
        "себе группа."
    ),
    "The manifest puts {n:# file|# files} elsewhere than the folder does, such as {path} into {part}; the manifest is "
    "followed.": (
        "Манифест относит {n:# файл|# файла|# файлов} не туда, где они лежат, например {path} в часть «{part}»; "
        "следуем манифесту."
    ),
    "{n:# file|# files} of the manifest has gone or changed, such as {path}.": (
        "{n:# файл|# файла|# файлов} манифеста больше нет, или содержимое изменилось: {path}."
    ),
    "{n:# file|# files} of the manifest have gone or changed, such as {path}.": (
        "{n:# файла|# файлов|# файлов} манифеста больше нет, или содержимое изменилось, например {path}."
    ),
    "{n:# file|# files} is not in the manifest; the old ones stay where they were.": (
        "{n:# файла|# файлов|# файлов} нет в манифесте; старые остаются там, где были."
    ),
    "{n:# file|# files} are not in the manifest; the old ones stay where they were.": (
        "{n:# файла|# файлов|# файлов} нет в манифесте; старые остаются там, где были."
    ),
    "{names}: there is a single picture, or only copies of one, so none could be held out, and nothing is known of how "
    "well it is recognized.": (
        "{names}: изображение всего одно (или только его копии), отложить для проверки нечего, и насколько хорошо "
        "класс узнаётся, неизвестно."
    ),
    # audit
    "{n:# picture stands|# pictures stand} in {part} and {other_part} at once, such as {one} and {other}: the accuracy "
    "there will flatter. Keep each in one of them.": (
        "{n:# изображение стоит|# изображения стоят|# изображений стоят} сразу в частях «{part}» и «{other_part}», "
        "например {one} и {other}: точность там окажется приукрашенной. Оставьте каждое только в одной из них."
    ),
    "{n:# picture stands|# pictures stand} in more than one class, such as {one} ({name}) and {other} ({another}): one "
    "of the labels is wrong, or the classes overlap.": (
        "{n:# изображение стоит|# изображения стоят|# изображений стоят} больше чем в одном классе, например {one} "
        "({name}) и {other} ({another}): одна из меток неверна, или классы пересекаются."
    ),
    "The {fact} alone gives away the class {names} (it ranks {share} of pairs of pictures rightly, where 50 % is "
    "chance): a network may learn that and fail on pictures from elsewhere. Save all classes in the same way.": (
        "Один только признак «{fact}» выдаёт класс {names} (верно упорядочивает {share} пар изображений, а случайность "
        "даёт 50 %): сеть может выучить его и ошибаться на изображениях из другого места. Сохраняйте все "
        "классы одинаково."
    ),
    "The {fact} alone gives away the classes {names} (it ranks {share} of pairs of pictures rightly, where 50 % is "
    "chance): a network may learn that and fail on pictures from elsewhere. Save all classes in the same way.": (
        "Один только признак «{fact}» выдаёт классы {names} (верно упорядочивает {share} пар изображений, а "
        "случайность даёт 50 %): сеть может выучить его и ошибаться на изображениях из другого места. "
        "Сохраняйте все классы одинаково."
    ),
    "1 file is there once more: {path} is the same file as {other}. A split that svertka makes keeps "
    "them on one side.": (
        "1 файл встречается ещё раз: {path} — тот же файл, что {other}. При разбиении svertka они попадут на "
        "одну сторону."
    ),
    "{n} files are there once more: {path} is the same file as {other}, and so on. A split that svertka makes keeps "
    "them on one side.": (
        "Файлов, которые встречаются ещё раз: {n}; {path} — тот же файл, что {other}, и так далее. При разбиении "
        "svertka они попадут на одну сторону."
    ),
    "1 file is there once more: {path} is nearly the same picture as {other}. A split that svertka makes keeps them on "
    "one side.": (
        "1 изображение встречается ещё раз: {path} почти то же, что {other}. При разбиении svertka они попадут на одну "
        "сторону."
    ),
    "{n} files are there once more: {path} is nearly the same picture as {other}, and so on. A split that svertka "
    "makes keeps them on one side.": (
        "Изображений, которые встречаются ещё раз: {n}; {path} почти то же, что {other}, и так далее. При разбиении "
        "svertka они попадут на одну сторону."
    ),
    "The class {many} has {x:.1f} times the pictures of {few} ({a} to {b}): read the results class by class; more "
    "pictures of {again} help most.": (
        "В классе {many} изображений в {x:.1f} раза больше, чем в {few} ({a} и {b}): смотрите результаты по классам; "
        "больше всего помогут новые изображения класса {again}."
    ),
    "Fewer than {n} pictures of {names}: too few to learn from, or to tell how well it went.": (
        "Меньше {n} изображений классов {names}: слишком мало, чтобы учиться или судить о результате."
    ),
    "1 file of {all} cannot be read, such as {path}: {reason}.": (
        "1 файл из {all} не удалось прочитать: {path} ({reason})."
    ),
    "{n} files of {all} cannot be read, such as {path}: {reason}.": (
        "Не удалось прочитать файлов: {n} из {all}, например {path} ({reason})."
    ),
    "No picture of {names} can be read: nothing can be learned of them.": (
        "Не удалось прочитать ни одного изображения классов {names}: о них нечему научиться."
    ),
    # verbs.notes, training.balance
    "{n:# other file was|# other files were} left aside, such as {path}: {reason}.": (
        "{n:# прочий файл оставлен|# прочих файла оставлены|# прочих файлов оставлены} в стороне, например "
        "{path} ({reason})."
    ),
    "No picture could be set aside for validation: the last epoch is kept, and its accuracy is unknown.": (
        "Для валидации не удалось отложить ни одного изображения: сохранена последняя эпоха, и точность её неизвестна."
    ),
    "{many} has {a} training pictures and {few} {b}: look at the recall of each class, not only at the accuracy; "
    "--balance weights makes rare classes count as much.": (
        "У класса {many} обучающих изображений {a}, у класса {few} {b}: смотрите на полноту каждого класса, а не "
        "только на точность; с --balance weights редкие классы весят столько же."
    ),
    "Mistakes on rare classes cost more (balance=weights), so the probabilities are those of a world where all classes "
    "are equally frequent: rare classes are found more often, and named by mistake more often, than the shares in your "
    "data would justify.": (
        "Ошибки на редких классах стоят дороже (balance=weights), и вероятности таковы, будто все классы одинаково "
        "часты: редкие классы находятся чаще, но и называются по ошибке чаще, чем оправдывают доли в ваших данных."
    ),
    "Pictures of rare classes are drawn oftener (balance=sample), so the probabilities are those of a world where all "
    "classes are equally frequent: rare classes are found more often, and named by mistake more often, than the shares "
    "in your data would justify.": (
        "Изображения редких классов берутся чаще (balance=sample), и вероятности таковы, будто все классы одинаково "
        "часты: редкие классы находятся чаще, но и называются по ошибке чаще, чем оправдывают доли в ваших данных."
    ),
    # transfer
    "Training starts from scratch, as no ImageNet weights of use are on this machine: mobilenet_v2.tv would serve; "
    "`svertka weights mobilenet_v2.tv` fetches them, or put mobilenet_v2-b0353104.pth into {folder}.": (
        "Обучение идёт с нуля: на этой машине нет подходящих весов ImageNet. Подошли бы mobilenet_v2.tv; `svertka "
        "weights mobilenet_v2.tv` скачает их, или положите файл mobilenet_v2-b0353104.pth в {folder}."
    ),
    "The pictures, {side} pixels on a side, are enlarged to the {size} that {name} works on.": (
        "Изображения со стороной {side} пикс. увеличиваются до {size}, с которыми работает {name}."
    ),
    "{name} learned from color pictures: gray ones are given to it as three equal channels.": (
        "{name}: обучение шло на цветных изображениях, серые подаются как три одинаковых канала."
    ),
    "{name} learned from gray pictures: the colors of yours are left out.": (
        "{name}: обучение шло на серых изображениях, цвета ваших отбрасываются."
    ),
    "A fresh network is better here than the frozen one: {share} against {other} on validation, at {size} pixels a "
    "side. `--weights none` gives it all the time.": (
        "Сеть, обученная с нуля, здесь лучше замороженной: {share} против {other} на валидации, сторона {size} пикс. "
        "С `--weights none` ей достанется всё время."
    ),
    "Transfer is the work of one process: the other {n} wait.": (
        "Дообучением занят один процесс: остальные ({n}) ждут."
    ),
    "On CPUs the batch norms of each process measure its own share of a batch: what is learned depends on the number "
    "of processes.": (
        "На процессорах батч-нормы каждого процесса измеряют только его долю батча: то, чему сеть научится, зависит от "
        "числа процессов."
    ),
    "nearest neighbors": "ближайшие соседи",
    "linear head": "линейная голова",
    "dense head": "плотная голова",
    "nearest neighbors, varied views": "ближайшие соседи, изменённые виды",
    "linear head, varied views": "линейная голова, изменённые виды",
    "dense head, varied views": "плотная голова, изменённые виды",
    "last stages unfrozen": "последние ступени разморожены",
    "whole network": "вся сеть",
    "from scratch": "с нуля",
    "{epochs} epochs, rates by depth": "эпох: {epochs}, скорость по глубине",
    "{epochs} epochs, rates by depth, batch norms measured anew": (
        "эпох: {epochs}, скорость по глубине, нормализация измерена заново"
    ),
    "{epochs} epochs at {size} pixels": "эпох: {epochs}, сторона {size} пикс.",
    "the most alike of {n}": "самое похожее из {n}",
    "the {k} most alike of {n}": "самые похожие ({k}) из {n}",
    "L2 penalty {strength}": "штраф L2 {strength}",
    "L2 penalty {strength}, {n} views of each picture": "штраф L2 {strength}, видов каждого изображения: {n}",
    "the most alike of {n}, {k} views of each picture": "самое похожее из {n}, видов каждого изображения: {k}",
    "the {k} most alike of {n}, {views} views of each picture": (
        "самые похожие ({k}) из {n}, видов каждого изображения: {views}"
    ),
    "{n} hidden units": "скрытых нейронов: {n}",
    "{n} hidden units, {views} views of each picture": "скрытых нейронов: {n}, видов каждого изображения: {views}",
    # transfer.finetune: reasons
    "its steps are of one size in every layer, whatever network the weights are of": (
        "шаги его одной величины в каждом слое, какой бы сети ни принадлежали веса"
    ),
    "a part of what fresh weights bear, so that what they know is not lost": (
        "часть того, что выдерживают новые веса, чтобы не потерять выученное"
    ),
    "the deeper a layer, the less of what it knows fits your classes already": (
        "чем глубже слой, тем меньше из того, что он знает, уже подходит вашим классам"
    ),
    "the usual decay": "обычное затухание",
    "as is usual": "как обычно",
    # verbs.course, verbs.forecasting, verbs.learning
    "Pictures grow from {n} over {m} to {k} pixels during the first {share} of the steps; until then validation, on "
    "whole ones, lags behind.": (
        "Первые {share} шагов изображения растут: {n}, {m}, затем {k} пикс.; до тех пор проверка на полных "
        "изображениях отстаёт."
    ),
    "One pass takes about {x:.1f} minutes, longer than the {minutes} allow.": (
        "Одна эпоха занимает около {x:.1f} мин, дольше отведённых {minutes}."
    ),
    "A pass takes {x:.1f} seconds here: {n} of them fit the time, not {before}.": (
        "Эпоха занимает здесь {x:.1f} с: в отведённое время помещается {n}, а не {before}."
    ),
    "The disk of {path} has {free} left, and writing a checkpoint takes up to {needed} for a moment: training may have "
    "to stop.": (
        "На диске папки {path} осталось {free}, а запись контрольной точки на миг занимает до {needed}: обучение может "
        "остановиться."
    ),
    "Training waits for its pictures {share} of the time. {detail} would shorten it, a faster network or device would "
    "not.": (
        "Обучение ждёт изображений {share} времени. Быстрее сделает вот что: {detail}; более быстрая сеть или "
        "устройство не помогут."
    ),
    "Training waits for its pictures only {share} of the time: {detail} would shorten it.": (
        "Обучение ждёт изображений лишь {share} времени; быстрее сделает вот что: {detail}."
    ),
    "Less augmentation (here {names}; --set {setting})": "меньше аугментации (здесь {names}; --set {setting})",
    "More memory, or smaller pictures (--size), so that the decoded pictures stay in it,": (
        "больше памяти или изображения поменьше (--size), чтобы декодированные в ней помещались"
    ),
    "More processor cores, or smaller pictures (--size),": "больше ядер или изображения поменьше (--size)",
    "a GPU, smaller pictures (--size below {side}), a smaller network (--net) or fewer passes": (
        "видеокарта, изображения поменьше (--size ниже {side}), сеть поменьше (--net) или меньше эпох"
    ),
    "smaller pictures (--size below {side}), a smaller network (--net) or fewer passes": (
        "изображения поменьше (--size ниже {side}), сеть поменьше (--net) или меньше эпох"
    ),
    "a GPU, a smaller network (--net) or fewer passes": "видеокарта, сеть поменьше (--net) или меньше эпох",
    "a smaller network (--net) or fewer passes": "сеть поменьше (--net) или меньше эпох",
    "The run was compiled where it began; in several processes it goes on without.": (
        "Запуск начинался со скомпилированной сетью; в нескольких процессах он продолжается без компиляции."
    ),
    "{detail} The run was compiled where it began; here it goes on without.": (
        "{detail} Запуск начинался со скомпилированной сетью; здесь он продолжается без компиляции."
    ),
    # why a file cannot be read: signals.hostile, signals.formats, data.readers, data.parquet
    "the file is empty": "файл пуст",
    "it is empty": "он пуст",
    "it claims {width} x {height} pixels, too large to decode safely": (
        "заявлено {width} x {height} пикс., слишком много, чтобы безопасно декодировать"
    ),
    "it claims {n} pixels, too large to decode safely": (
        "заявлено пикселей: {n}, слишком много, чтобы безопасно декодировать"
    ),
    "it is a progressive JPEG of more than {n} passes, too slow to decode safely": (
        "прогрессивный JPEG, проходов больше {n}: безопасно декодировать слишком долго"
    ),
    "there is not enough memory to decode it": "для декодирования не хватает памяти",
    "the {kind} picture has a damaged header": "у изображения {kind} повреждён заголовок",
    "the picture is cut short": "изображение обрывается",
    "the compressed pixels are damaged": "сжатые пиксели повреждены",
    "the picture is damaged": "изображение повреждено",
    "it is no longer an ordinary file": "это уже не обычный файл",
    "it has changed since the folder was listed": "он изменился после просмотра папки",
    "it has vanished since the folder was listed": "он исчез после просмотра папки",
    "it cannot be opened ({detail})": "его нельзя открыть ({detail})",
    "it cannot be looked at ({detail})": "его нельзя осмотреть ({detail})",
    "the folder cannot be listed ({detail})": "содержимое папки нельзя получить ({detail})",
    "its archive has changed since it was listed": "его архив изменился после просмотра",
    "its archive cannot be read here ({detail})": "его архив здесь не читается ({detail})",
    "the archive is damaged here ({detail})": "архив здесь повреждён ({detail})",
    "the table is damaged here ({detail})": "таблица здесь повреждена ({detail})",
    "the checksum does not fit": "контрольная сумма не сходится",
    "a member is not where its directory says": "файл лежит не там, где указано в оглавлении",
    "it does not decompress": "не распаковывается",
    "a size that no file has": "невозможный размер",
    "the archive ends before this file does": "архив кончается раньше этого файла",
    "the row holds no bytes": "в строке нет байтов",
    "its table {name} has vanished since it was listed": "её таблица {name} исчезла после просмотра",
    "its table {name} has changed since it was listed": "её таблица {name} изменилась после просмотра",
    "it has {size} MB, too large for a picture": "{size} МБ — слишком много для изображения",
    # why a file was left aside: data.folders, data.archives, data.layout, data.class_folders, data.tables, data.shards
    "hidden or system file": "скрытый или системный файл",
    "hidden or system folder": "скрытая или системная папка",
    "a link that leads nowhere": "ссылка, которая никуда не ведёт",
    "a link that leads back to a folder above it": "ссылка, которая ведёт обратно в папку над ней",
    "a link to a folder that has been listed {n} times": "ссылка на папку, которая уже просмотрена (раз: {n})",
    "more than {n} folders deep": "вложенность папок больше {n}",
    "neither a file nor a folder": "не файл и не папка",
    "encrypted": "зашифрован",
    "a link inside an archive is not followed": "ссылки внутри архива не проходятся",
    "not an ordinary file": "не обычный файл",
    "compressed by a method (number {n}) that is not read": "сжат методом (номер {n}), который не читается",
    "its name points outside the archive": "имя указывает за пределы архива",
    "the archive has no end: it may have been cut short": "у архива нет конца: возможно, он обрезан",
    "the archive is damaged: what follows its last file here cannot be read": (
        "архив повреждён: то, что следует за его последним файлом, прочитать нельзя"
    ),
    "the pattern of the class does not match {label}": "образец класса не подходит к {label}",
    "several files are called so ({one} and {other})": "так называются несколько файлов ({one} и {other})",
    "the pattern of the class does not match its path": "образец класса не подходит к его пути",
    "it lies beside the class folders and so has no class": "лежит рядом с папками классов и потому без класса",
    "it lies beside the folder {names}": "лежит рядом с папкой {names}",
    "it lies beside the folders {names}": "лежит рядом с папками {names}",
    "{n:# file|# files}: {reason}": "{n:# файл|# файла|# файлов}: {reason}",
    "{n:# row|# rows}, such as {path}: {reason}": "{n:# строка|# строки|# строк}, например {path}: {reason}",
    "a folder without pictures makes no class": "папка без изображений не образует класса",
    "no picture: {detail}": "не изображение: {detail}",
    "it is a text": "это текст",
    "it is a web page": "это веб-страница",
    "it is a vector drawing (SVG)": "это векторный рисунок (SVG)",
    "it is an XML document": "это документ XML",
    "it is a PDF document": "это документ PDF",
    "it is a PostScript document": "это документ PostScript",
    "it is a zip archive": "это архив zip",
    "it is a gzip archive": "это архив gzip",
    "it is a RAR archive": "это архив RAR",
    "it is a 7z archive": "это архив 7z",
    "it is a HEIC picture, which is not read without pillow-heif (pip install 'svertka[photos]'); save it as JPEG": (
        "это изображение HEIC, без pillow-heif оно не читается (pip install 'svertka[photos]'); сохраните его как JPEG"
    ),
    "it is a JPEG XL picture, which is not read without pillow-jxl-plugin (pip install 'svertka[photos]')": (
        "это изображение JPEG XL, без pillow-jxl-plugin оно не читается (pip install 'svertka[photos]')"
    ),
    "it is a raw picture of a camera, which is not read; save it as JPEG or PNG": (
        "это необработанный снимок камеры (RAW), он не читается; сохраните его как JPEG или PNG"
    ),
    "it is a DICOM picture, which is not read; save it as PNG": (
        "это снимок DICOM, он не читается; сохраните его как PNG"
    ),
    "it is a FITS picture, which is not read; save it as PNG": (
        "это снимок FITS, он не читается; сохраните его как PNG"
    ),
    "it is a TIFF of {n} bands of {bits} bits, which is not read; save it as 1 or 3 bands of 8 or 16 bits": (
        "это TIFF, где каналов {n} по {bits} бит, такой не читается; сохраните 1 или 3 канала по 8 или 16 бит"
    ),
    "it is an array of NumPy, not a picture": "это массив NumPy, а не изображение",
    "a folder that svertka has made, not data": "эту папку сделала svertka, это не данные",
    "another member of the sample {name}, of which {path} is read": (
        "ещё один файл примера {name}, из которого читается {path}"
    ),
    "{place} does not say how its names are written: they are read as {name}, such as {path}; {address} reads them "
    "otherwise.": (
        "{place} не говорит, в какой кодировке имена: они прочитаны как {name}, например {path}; {address} прочтёт "
        "иначе."
    ),
    "it is a Photoshop document, which is not read; save it as JPEG or PNG": (
        "это документ Photoshop, он не читается; сохраните его как JPEG или PNG"
    ),
    "it is a video": "это видео",
    "it is a sound": "это звук",
    "a second file of that name in the archive": "второй файл с таким именем в архиве",
    "it is no picture of a known format": "формат изображения неизвестен",
    "it has no label": "нет метки",
    "it has several labels, {names}, so none is believed": "меток несколько ({names}), поэтому ни одна не принята",
    "a second row for that file": "вторая строка для этого файла",
    "a second row for that file, and in another part ({part})": (
        "вторая строка для этого файла, и в другой части ({part})"
    ),
    "there is no such file": "такого файла нет",
    "an address in a table is not fetched": "адреса из таблицы не загружаются",
    "no path": "нет пути",
    "it is no file": "это не файл",
    "the text beside it is no class name (it begins with {name})": "текст рядом — не имя класса (начинается с {name})",
}

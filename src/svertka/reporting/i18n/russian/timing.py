"""The section on forecast and truth."""

SENTENCES = {
    "Forecast": "Прогноз",
    "What was forecast, and what it took": "Что предсказано и что вышло",
    "forecast": "прогноз",
    "truth": "на деле",
    "time": "время",
    "disk": "диск",
    "part": "часть",
    "share": "доля",
    "Training waited for its pictures {share} of the time: making batches held it up, and less augmentation, more "
    "processor cores or smaller pictures would shorten it.": (
        "Обучение {share} времени ждало изображений: его сдерживала подготовка батчей; ускорят меньшая аугментация, "
        "больше ядер процессора или изображения поменьше."
    ),
    "Training waited for its pictures {share} of the time: arithmetic held it up, and a faster device, a smaller "
    "network, smaller pictures or fewer passes would shorten it.": (
        "Обучение {share} времени ждало изображений: его сдерживали вычисления; ускорят устройство побыстрее, сеть или "
        "изображения поменьше либо меньше эпох."
    ),
    "Memory at its peak: {memory}.": "Памяти в пике: {memory}.",
    "On the GPU: {memory}.": "На видеокарте: {memory}.",
    "start, listing the files": "запуск, список файлов",
    "importing PyTorch, while pictures are decoded": "загрузка PyTorch, пока декодируются изображения",
    "opening weights": "открытие весов",
    "waiting for the rest to be decoded": "ожидание конца декодирования",
    "checking the pictures": "проверка изображений",
    "measuring the machine": "измерение машины",
    "features and heads": "признаки и головы",
    "waiting for batches": "ожидание батчей",
    "forward passes": "прямые проходы",
    "backward passes": "обратные проходы",
    "steps of the optimizer": "шаги оптимизатора",
    "steps": "шаги",
    "measuring on validation": "измерение на валидации",
    "checkpoints": "контрольные точки",
    "log and screen": "журнал и экран",
    "scores and model": "оценки и модель",
}

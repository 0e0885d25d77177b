"""What training says of itself when something goes wrong, or ends early: the notes of `svertka.training`."""

SENTENCES = {
    "Stopped after pass {n} of {epochs}: no better in {patience} passes.": (
        "Остановлено после эпохи {n} из {epochs}: за последние эпохи ({patience}) лучше не стало."
    ),
    "Memory was not enough for {n} pictures at once: from step {step} on each batch is computed in {pieces} pieces, "
    "whose gradients are summed.": (
        "Памяти не хватило на столько изображений сразу: {n}. Начиная с шага {step} каждый батч вычисляется по частям "
        "(их {pieces}), а градиенты складываются."
    ),
    "The loss became {value} at step {step}; nothing was learned from it.": (
        "Потери стали {value} на шаге {step}; на нём сеть не училась."
    ),
    "The loss became {value} at step {step}; it was read after the step had been taken.": (
        "Потери стали {value} на шаге {step}; это прочитано, когда шаг был уже сделан."
    ),
    "The weights are no longer finite after step {step}.": "После шага {step} веса перестали быть конечными.",
    "The validation loss is no longer finite after step {step}.": (
        "После шага {step} потери на валидации перестали быть конечными."
    ),
    "{fact} Training went back to the start and goes on at {share} of the rate (rescue {n} of {most}).": (
        "{fact} Обучение вернулось к началу и продолжается при доле {share} прежней скорости (спасение {n} из {most})."
    ),
    "{fact} Training went back to the end of pass {epoch} and goes on at {share} of the rate (rescue {n} of {most}).": (
        "{fact} Обучение вернулось к концу эпохи {epoch} и продолжается при доле {share} прежней скорости "
        "(спасение {n} из {most})."
    ),
    "{fact} It was computed from {files}.": "{fact} Вычислено по изображениям: {files}.",
}

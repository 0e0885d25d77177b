"""The Russian of every page: one table a section, English sentence -> Russian sentence, and `notes` of training.

Words are those of the lectures: изображение, обучающая выборка, свёртка, слой, фильтр, карта признаков, дообучение.
A number in a sentence has three forms, {n:# слой|# слоя|# слоёв} (1 and 21; 2 to 4; 5 to 20), in the case that the
sentence needs: {n:# изображении|# изображениях|# изображениях} after "на".
"""

from __future__ import annotations

import importlib
import pkgutil


def sentences() -> dict[str, str]:
    """All tables of this folder as one."""
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").SENTENCES
    return found

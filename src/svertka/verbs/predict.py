"""`predict`: what a model says of pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svertka.bundle import Model
from svertka.data import picture_files
from svertka.records import Prediction, Unreadable


def predict(model: str | Path | Model, files: Iterable[Any]) -> list[Prediction | Unreadable]:
    """Predictions for files, in order; a folder stands for the pictures in it.

    Args:
        model: a run folder, its model/, or a loaded `Model`.
        files: paths of pictures or folders, bytes, or uint8 arrays.

    Raises:
        RunError: there is no usable model.
        DataError: a folder without pictures.
    """
    model = model if isinstance(model, Model) else Model.load(model)
    pictures: list[Any] = []
    for file in files:
        is_folder = isinstance(file, str | Path) and Path(file).is_dir()
        pictures += picture_files(Path(file)) if is_folder else [file]
    return model.predict(pictures)

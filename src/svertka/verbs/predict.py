"""`predict`: what a model says of pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svertka.bundle import Model
from svertka.data import picture_files
from svertka.errors import UsageError
from svertka.records import Prediction, Unreadable
from svertka.zoo import variants
from svertka.zoo.weights import catalogue


def predict(
    model: str | Path | Model, files: Iterable[Any], *, weights: str | Path | None = None
) -> list[Prediction | Unreadable]:
    """Predictions for files, in order; a folder stands for the pictures in it.

    Args:
        model: a run folder, its model/, a network of the zoo with published weights, or a loaded `Model`.
        files: paths of pictures or folders, bytes, or uint8 arrays.
        weights: with a network of the zoo, the file to take instead of the published one.

    Raises:
        RunError: there is no usable model.
        DataError: a folder without pictures.
    """
    model = open_model(model, weights)
    pictures: list[Any] = []
    for file in files:
        is_folder = isinstance(file, str | Path) and Path(file).is_dir()
        pictures += picture_files(Path(file)) if is_folder else [file]
    return model.predict(pictures)


def open_model(model: str | Path | Model, weights: str | Path | None = None) -> Model:
    """A model by what a person may call it: a folder first, then a name of the zoo.

    Raises:
        RunError: neither a folder with a model, nor a name.
        UsageError: weights for a folder that has its own.
    """
    if isinstance(model, Model):
        return model
    if not Path(model).exists() and (str(model) in variants() or any(str(model) == row.name for row in catalogue())):
        return Model.published(str(model), weights)
    if weights is not None:
        raise UsageError(f"--weights goes with a network of the zoo by name; {model} is none.")
    return Model.load(model)

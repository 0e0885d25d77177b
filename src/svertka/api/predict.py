"""`predict`: what a model says of pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from svertka.errors import RunError, UsageError
from svertka.evaluation import selective_prediction
from svertka.models.model import Model
from svertka.records import Prediction, Unreadable
from svertka.runs import layout
from svertka.runs.predictions import read_predictions
from svertka.zoo import variants
from svertka.zoo.weights.catalog import catalog


def predict(
    model: str | Path | Model,
    files: Any,
    *,
    weights: str | Path | None = None,
    reject: float | None = None,
) -> list[Prediction | Unreadable]:
    """Predictions for one picture or for many, in order.

    Args:
        model: a run folder, its model/, a network of the zoo with published weights, or a loaded `Model`.
        files: one picture, or an iterable of many: a path, the bytes of a file, an open file, a picture of Pillow, an
            array or a tensor (h, w), (h, w, 1), (h, w, 3) in RGB or (h, w, 4), of uint8 or floats from 0 to 1; an array
            (n, h, w, c) is many. A folder, archive, table or address stands for the pictures in it.
        weights: with a network of the zoo, the file to take instead of the published one.
        reject: the accuracy wanted of what is answered, a share of 1; where the model is less sure than that takes,
            the prediction is marked `unsure`.

    Raises:
        RunError: there is no usable model, or it cannot say how sure it must be.
        DataError: a folder or archive without pictures.
        UsageError: something that is no picture, or an accuracy that the model's validation cannot promise.
    """
    opened = open_model(model, weights)
    least = None if reject is None else promised(opened, reject, model).threshold
    answers = opened.predict(files)
    if least is None:
        return answers
    return [dataclasses.replace(a, unsure=a.probability < least) if isinstance(a, Prediction) else a for a in answers]


def promised(model: Model, wanted: float, where: str | Path | Model | None = None) -> selective_prediction.Point:
    """The confidence from which on a model's answers are right as often as `wanted`, by its validation.

    Args:
        model: the model.
        wanted: a share of 1.
        where: what the model was opened from; the run folder of an older svertka still has its predictions.

    Raises:
        RunError: nothing is known of the model's validation.
        UsageError: `wanted` is no share, or more than validation can promise.
    """
    points = selective_prediction.from_rows(model.abstaining)
    if not points and isinstance(where, str | Path):
        points = _of_predictions(Path(where))
        model.abstaining = selective_prediction.to_rows(points)
    if not points:
        raise RunError(
            "This model holds no validation results, so nobody knows how sure it must be: --reject works with a model "
            "that `svertka train` made with a validation part."
        )
    return selective_prediction.threshold_for(points, wanted)


def _of_predictions(run: Path) -> tuple[selective_prediction.Point, ...]:
    """The curve of a run folder whose model does not hold it; none of what is no run, or one without validation."""
    if not (run / layout.PREDICTIONS).is_file():
        return ()
    judged = read_predictions(run).get("validation")
    return () if judged is None else selective_prediction.curve(judged.probability, judged.labels)


def open_model(model: str | Path | Model, weights: str | Path | None = None) -> Model:
    """A model by what a person may call it: a folder first, then a name of the zoo.

    Raises:
        RunError: neither a folder with a model, nor a name.
        UsageError: weights for a folder that has its own.
    """
    if isinstance(model, Model):
        return model
    if not Path(model).exists() and (str(model) in variants() or any(str(model) == row.name for row in catalog())):
        return Model.published(str(model), weights)
    if weights is not None:
        raise UsageError(f"--weights goes with a network of the zoo by name; {model} is none.")
    return Model.load(model)

"""What a run answered about the pictures that judged it: predictions.npz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data import Manifest
from svertka.errors import RunError, SvertkaError
from svertka.evaluation import Evaluation, evaluate
from svertka.runs import layout
from svertka.runs.files import read_npz, within

PARTS = ("validation", "test")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers for one part.

    manifest     of the run
    index        int (n,), places in the manifest
    probability  float (n, classes), each row a distribution
    """

    run: Path
    part: str
    manifest: Manifest
    index: Array
    probability: Array

    @property
    def labels(self) -> Array:
        """(n,) int: the truth, as an index into the classes."""
        labels: Array = self.manifest.labels[self.index]
        return labels

    @property
    def guess(self) -> Array:
        """(n,) int: the likeliest class."""
        guess: Array = self.probability.argmax(1)
        return guess

    @property
    def confidence(self) -> Array:
        """(n,) float: the probability of the likeliest class."""
        confidence: Array = self.probability.max(1)
        return confidence

    def evaluate(self) -> Evaluation:
        """All scores.

        Raises:
            RunError: the predictions are no probabilities.
        """
        try:
            return evaluate(self.probability, self.labels, self.manifest.classes)
        except SvertkaError as why:
            place = self.run / layout.PREDICTIONS
            raise RunError(f"{place} is damaged, in the {self.part} part: {why}") from why


def read_manifest(run: Path) -> Manifest:
    """Which files a run learned from, was chosen by and was judged by.

    Raises:
        RunError: it is no run folder, or the manifest is damaged.
    """
    if not run.is_dir():
        raise RunError(f"There is no run folder at {run}.")
    if not (run / layout.MANIFEST).is_file():
        raise RunError(f"{run} is not a run folder, or an incomplete one: it holds no {layout.MANIFEST}.")
    return Manifest.load(run / layout.MANIFEST)


def read_predictions(run: Path, manifest: Manifest | None = None) -> dict[str, Predictions]:
    """What a run answered, by part; a part without predictions is missing.

    Raises:
        RunError: it is no run folder, or a file of it is damaged.
    """
    manifest = manifest or read_manifest(run)
    path, found = run / layout.PREDICTIONS, {}
    shapes = {f"{part}_{k}?": v for part in PARTS for k, v in _shapes(part).items()}
    arrays = read_npz(path, shapes, {"classes": len(manifest.classes)})
    for part in PARTS:
        index, probability = (arrays.get(f"{part}_{name}") for name in ("index", "probability"))
        if index is not None and probability is not None and len(index):
            within(path, f"{part}_index", index, len(manifest), "files of the manifest")
            found[part] = Predictions(run, part, manifest, index, probability)
    return found


def required_predictions(run: Path, manifest: Manifest | None = None) -> dict[str, Predictions]:
    """What a run answered, by part.

    Raises:
        RunError: as `read_predictions`, and where there are none.
    """
    manifest = manifest or read_manifest(run)
    if not (place := run / layout.PREDICTIONS).is_file():
        raise RunError(f"{place} is missing: this run was not finished, or had no pictures to be judged by.")
    return read_predictions(run, manifest)


def _shapes(part: str) -> dict[str, str]:
    return {"index": f"int {part}", "probability": f"float {part} classes"}

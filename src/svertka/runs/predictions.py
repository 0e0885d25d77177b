"""What a run answered about the samples that judged it: predictions.npz."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svertka.data import Manifest
from svertka.errors import RunError
from svertka.runs import layout

PARTS = ("test", "validation")


@dataclass(frozen=True, slots=True)
class Answers:
    """What one run said of `index` (n,) in its manifest: `guess` (n,), a class, with `confidence` (n,)."""

    run: Path
    manifest: Manifest
    index: np.ndarray
    guess: np.ndarray
    confidence: np.ndarray


def read_answers(run: Path) -> dict[str, Answers]:
    """What a run answered, by part; parts without predictions are missing.

    Raises:
        RunError: it is no run folder, or its predictions are missing or damaged.
    """
    if not (run / layout.MANIFEST).is_file():
        raise RunError(f"{run} is not a run folder: it holds no manifest.json.")
    manifest = Manifest.load(run / layout.MANIFEST)
    place = run / layout.PREDICTIONS
    if not place.is_file():
        raise RunError(f"{place} is missing: this run was not finished, or had no pictures to be judged by.")
    try:
        with np.load(place, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as why:
        raise RunError(f"{place} is damaged: {why}.") from why
    answers = {}
    for part in PARTS:
        index, shares = arrays.get(f"{part}_index"), arrays.get(f"{part}_probability")
        if index is None or shares is None or not len(index):
            continue
        if shares.shape != (len(index), len(manifest.classes)) or not 0 <= index.min() <= index.max() < len(manifest):
            raise RunError(f"{place} does not fit {run / 'manifest.json'}; the run folder was mixed with another.")
        answers[part] = Answers(run, manifest, index, shares.argmax(1), shares.max(1))
    return answers

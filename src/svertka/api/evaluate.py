"""`evaluate`: how good a model is on labeled pictures, by the names of their classes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka import data as rooms
from svertka.analysis.error_analysis import failures
from svertka.api.predict import open_model
from svertka.data.prepare import decode
from svertka.errors import DataError, UnknownName
from svertka.evaluation import Evaluation
from svertka.evaluation import evaluate as score
from svertka.kinds import kind, require
from svertka.models import Model
from svertka.pipeline.context import Where
from svertka.records import Unreadable, Watch, silent
from svertka.runs import layout
from svertka.runs.predictions import read_manifest

BATCH = 256
PARTS = {"train": 1, "validation": 2, "test": 3}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What `evaluate` returns: the scores, the part they were taken on, and the files that could not be read.

    failing     where it fails (evaluation/errors/error_report.py)
    robustness  how far pictures may change before it does; None where that was not asked for
    """

    result: Evaluation
    part: str
    unreadable: tuple[Unreadable, ...]
    failing: dict[str, Any]
    robustness: dict[str, Any] | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        bad = [{"path": u.path, "reason": u.reason} for u in self.unreadable]
        payload = {**self.result.to_dict(), "part": self.part, "unreadable": bad, "failing": self.failing}
        if self.robustness is not None:
            payload["robustness"] = self.robustness
        return {**payload, "seconds": round(self.seconds, 3)}


def evaluate(
    model: str | Path | Model,
    data: Where,
    *,
    part: str | None = None,
    robust: bool = False,
    watch: Watch = silent,
) -> Evaluated:
    """Score a model on data with labels: the test part where the data have one, else validation, else all.

    Args:
        model: a run folder, its model/, or a loaded `Model`.
        data: what `train` takes; class folders are matched to the model's classes by name.
        part: "train", "validation", "test" or "all", where the data are divided into such folders.
        robust: also measure how accuracy falls as pictures are turned, moved, blurred, ... (corruption_robustness.py).

    Raises:
        RunError: there is no usable model.
        DataError: no usable pictures, or classes that the model does not know.
    """
    begun, opened = time.perf_counter(), model
    model = open_model(model)
    if robust:
        require(model.preprocess.kind, "evaluate --robust")
    source = rooms.open_source(data, least_classes=1)
    if source.sample != model.preprocess.kind:
        what, there = model.kind.several, kind(source.sample).several
        raise DataError(f"The model knows {what}, and {source.where} holds {there}.")
    labels = _labels(source, model.classes)
    part, chosen = _choose(source, part)
    store = decode(source, model.preprocess, watch)
    index = np.flatnonzero(chosen & store.readable)
    if not len(index):
        raise DataError(f"None of the {int(chosen.sum()):,} pictures of {source.where} can be read.")
    batches = (torch.from_numpy(store.pixels[index[k : k + BATCH]]) for k in range(0, len(index), BATCH))
    shares = torch.cat([model.probabilities(batch) for batch in batches]).numpy()
    result = score(shares, labels[index], model.classes)
    curves = None
    if robust:
        from svertka.analysis.corruption_robustness import robustness

        curves = robustness(model, store.pixels, index, labels, watch=watch)
    learned = learned_from(opened)
    where = failures(shares, index, labels, model.classes, source.paths, store, learned=learned, groups=source.groups)
    bad = tuple(Unreadable(source.paths[i], why) for i, why in sorted(store.reasons.items()) if chosen[i])
    return Evaluated(result, part, bad, where, curves, time.perf_counter() - begun)


def learned_from(model: str | Path | Model) -> np.ndarray | None:
    """Digests uint8 (k, 16) of the pictures that a run learned from; None of what is no run folder."""
    if isinstance(model, Model) or not (Path(model) / layout.MANIFEST).is_file():
        return None
    files = read_manifest(Path(model))
    digests: np.ndarray = files.digests[files.indices("train")]
    return digests


def _labels(source: rooms.Source, classes: tuple[str, ...]) -> np.ndarray:
    unknown = [name for name in source.classes if name not in classes]
    if unknown:
        raise DataError(
            f"{source.where} has the class {unknown[0]!r}"
            + (f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else "")
            + f", which the model does not know; it knows {_listed(classes)}."
        )
    labels: np.ndarray = np.array([classes.index(name) for name in source.classes])[source.labels]
    return labels


def _choose(source: rooms.Source, part: str | None) -> tuple[str, np.ndarray]:
    if part is not None and part != "all" and part not in PARTS:
        raise UnknownName("part", part, [*PARTS, "all"])
    if part is None:
        part = next((p for p in ("test", "validation") if (source.parts == PARTS[p]).any()), "all")
    if part == "all":
        return part, np.ones(len(source.parts), dtype=bool)
    chosen = source.parts == PARTS[part]
    if not chosen.any():
        raise DataError(f"{source.where} has no {part} part.")
    return part, chosen


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

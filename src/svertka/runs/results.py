"""Everything that a run folder holds, read and checked: what its report, and whatever else asks a run, is made of.

A piece that the report cannot do without and that is missing or damaged is a RunError naming the file and the place.
Predictions and examples may be absent: a run that was stopped early, or that had no validation part, still deserves
its page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from msgspec import to_builtins

from svertka.data import Manifest
from svertka.errors import RunError
from svertka.evaluation import Evaluation, worst_mistakes
from svertka.kinds.image import Preprocess
from svertka.runs import layout, records
from svertka.runs.files import as_preprocess, as_record, log_lines, read_optional, read_recipe, read_record, renewed
from svertka.runs.pictures import Examples, read_checked, read_examples, read_explanations, read_map
from svertka.runs.predictions import Predictions, read_manifest, read_predictions

T = TypeVar("T", bound=records.Record)
Array = np.ndarray[Any, Any]

MISTAKES = 24  # shown
_LOGGED: Mapping[str, type[records.Record]] = {
    "step": records.StepRecord, "epoch": records.EpochRecord, "note": records.NoteRecord,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Log:
    """What happened, in order."""

    steps: list[records.StepRecord] = field(default_factory=list)
    epochs: list[records.EpochRecord] = field(default_factory=list)
    notes: list[records.NoteRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Results:
    """A run, finished or stopped."""

    path: Path
    recipe: records.RecipeFile
    manifest: Manifest
    log: Log
    model: records.ModelFacts
    metrics: records.Metrics
    predictions: Mapping[str, Predictions]  # "validation" and "test", where there are any
    examples: Examples | None
    hashes: Mapping[str, str]  # SHA-256 of what fixes the result, by the file's name
    findings: records.Findings | None  # of the check, where the run was begun with one
    checked: Mapping[str, Array]  # the pictures that belong to it, by path
    failing: records.Failing | None
    explanations: Mapping[str, Array] = field(default_factory=dict)  # explanation/report_album.py
    map: Mapping[str, Array] = field(
        default_factory=dict
    )  # pipeline/ladder/embedding_map.py, where it started from weights
    layers: records.Layers | None = None
    robustness: records.Robustness | None = None  # both of the weights that the run has now
    baselines: records.Baselines | None = None
    cautions: tuple[str, ...] = ()  # what the reader must know beyond what the files say

    @cached_property
    def evaluations(self) -> dict[str, Evaluation]:
        """All scores, by part."""
        return {part: found.evaluate() for part, found in self.predictions.items()}

    @property
    def shown(self) -> Predictions | None:
        """The part whose classes and mistakes are shown: the validation pictures, so that the test is not used up."""
        return self.predictions.get("validation") or self.predictions.get("test")

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes input; pages ask for it where the run keeps one as it was.

        Raises:
            RunError: model.json does not say.
        """
        place = self.path / layout.MODEL / layout.MODEL_FACTS
        return cast(Preprocess, as_preprocess(to_builtins(self.model.preprocess), place))

    def place_of(self, file: int) -> int | None:
        """Where the examples hold a file of the manifest; None where they do not."""
        if self.examples is None:
            return None
        places = np.flatnonzero(self.examples.index == file)
        return int(places[0]) if len(places) else None

    def mistakes(self) -> tuple[list[int], list[int]]:
        """Rows of `shown` that are wrong, the surest first: all, and those that the page shows."""
        if self.shown is None:
            return [], []
        labels = self.shown.labels
        worst = worst_mistakes(self.shown.probability, labels, len(labels)).tolist()
        kept = [row for row in worst if self.place_of(int(self.shown.index[row])) is not None]
        return worst, (kept or worst)[:MISTAKES]

    def wrong_files(self) -> set[int]:
        """Files of the manifest that were answered wrongly, in any part."""
        return {int(i) for p in self.predictions.values() for i in p.index[p.guess != p.labels]}

    def sample(self) -> int | None:
        """The place in the examples of the picture that stands for all: the first that is no mistake."""
        if self.examples is None or not len(self.examples.index):
            return None
        wrong = self.wrong_files()
        return next((k for k, i in enumerate(self.examples.index.tolist()) if i not in wrong), 0)


def read_results(path: Path) -> Results:
    """The run folder at `path`.

    Raises:
        RunError: it is no run folder, or a piece of it is missing or damaged.
    """
    manifest = read_manifest(path)
    recipe = read_recipe(path)
    examples = read_examples(path, len(manifest))
    hashes = _hashes(path)
    weights = hashes.get(layout.FINGERPRINTED[-1])
    return Results(
        path=path,
        recipe=recipe,
        manifest=manifest,
        log=_read_log(path / layout.LOG),
        model=read_record(path / layout.MODEL / layout.MODEL_FACTS, records.ModelFacts),
        metrics=read_record(path / layout.METRICS, records.Metrics),
        predictions=read_predictions(path, manifest),
        examples=examples,
        hashes=hashes,
        findings=read_optional(path / layout.CHECK, records.Findings),
        checked=read_checked(path),
        failing=read_optional(path / layout.FAILING, records.Failing),
        explanations=read_explanations(path, examples, len(manifest.classes)),
        map=read_map(path, len(manifest)),
        layers=read_optional(path / layout.NETWORK, records.Layers),
        robustness=_of_weights(path / layout.ROBUSTNESS, records.Robustness, weights),
        baselines=_of_weights(path / layout.BASELINES, records.Baselines, weights),
    )


def _read_log(path: Path) -> Log:
    """A last line cut short is what a killed process leaves behind, and is passed over."""
    lines = list(log_lines(path))
    found: dict[str, list[Any]] = {kind: [] for kind in _LOGGED}
    for number, (_, record) in enumerate(lines, 1):
        if record is None and number < len(lines):
            raise RunError(f"{path} is damaged: line {number} is not valid JSON.")
        kind = str((record or {}).get("kind"))
        if kind in _LOGGED:
            found[kind].append(as_record(record, _LOGGED[kind], f"{path}, line {number},"))
    return Log(found["step"], found["epoch"], found["note"])


def _of_weights(path: Path, kind: type[T], weights: str | None) -> T | None:
    """What was measured with the weights that the run has now; a training that went on leaves the old behind."""
    if not path.exists() or (content := renewed(path)).get("weights") != weights:
        return None
    return as_record(content, kind, str(path))


def _hashes(path: Path) -> dict[str, str]:
    hashes = {}
    for name in layout.FINGERPRINTED:
        if (path / name).is_file():
            with (path / name).open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes

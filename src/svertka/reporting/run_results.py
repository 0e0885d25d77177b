"""Reads a run folder, and nothing else, into plain data for the report.

A piece that the report cannot do without and that is missing or damaged is a RunError naming the file.
Predictions and examples may be absent: a run that was stopped early, or that had no validation part, still
deserves its page. Keys that a run does not have are simply not shown, so that older and newer runs open.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data import Manifest
from svertka.errors import RunError, SvertkaError
from svertka.evaluation import Evaluation, evaluate, worst_mistakes
from svertka.reporting.pages.check import read_pixels
from svertka.runs import layout
from svertka.runs.run_folder import check_format

PROBES = ("robustness", "baselines")  # each in a file of its name, with the weights that it is true of
MISTAKES = 24  # shown


@dataclass(frozen=True, slots=True)
class Scored:
    """A part: predictions at `index` (m,) into the manifest, `probability` (m, classes), `labels` (m,)."""

    part: str
    index: np.ndarray
    probability: np.ndarray
    labels: np.ndarray
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures as the network sees them: `pixels` uint8 (k, h, w, c), `index` (k,) into the manifest.

    original   one of them as it was, reduced: uint8 (h', w', 1 or 3); None in runs that kept none
    size       its true height and width
    of         which one, a place in `pixels`
    """

    pixels: np.ndarray
    index: np.ndarray
    original: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    of: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Everything the report is made of."""

    path: Path
    recipe: dict[str, Any]
    manifest: Manifest
    log: list[dict[str, Any]]
    model: dict[str, Any]
    metrics: dict[str, Any]
    scored: dict[str, Scored]  # "validation" and "test", where there are predictions
    examples: Examples | None
    hashes: dict[str, str]
    check: dict[str, Any] | None  # what `svertka check` found, where the run was begun with one
    checked: dict[str, np.ndarray]  # the pictures that belong to it, by path
    album: Mapping[str, np.ndarray] = field(default_factory=dict)  # what explanation.album made, where it was made
    map: Mapping[str, np.ndarray] = field(default_factory=dict)  # verbs.mapping, of a run that started from weights
    layers: dict[str, Any] | None = None  # the layer table, where it was made
    probes: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # those of PROBES that were made
    cautions: tuple[str, ...] = ()  # what the reader must know beyond what the files say

    @property
    def looked_at(self) -> Scored | None:
        """The part whose classes and mistakes are shown: the validation pictures, so that the test is not used up."""
        return self.scored.get("validation") or self.scored.get("test")

    def place_of(self, file: int) -> int | None:
        """Where the examples hold a file of the manifest; None where they do not."""
        if self.examples is None:
            return None
        found = np.flatnonzero(self.examples.index == file)
        return int(found[0]) if len(found) else None

    def mistakes(self) -> tuple[list[int], list[int]]:
        """Rows of `looked_at` that are wrong, the surest first: all, and those that the page shows."""
        scored = self.looked_at
        if scored is None:
            return [], []
        worst = worst_mistakes(scored.probability, scored.labels, len(scored.labels)).tolist()
        kept = [row for row in worst if self.place_of(int(scored.index[row])) is not None]
        return worst, (kept or worst)[:MISTAKES]

    def sample(self) -> int | None:
        """The place in the examples of the picture that stands for all: the first that is no mistake."""
        if self.examples is None or not len(self.examples.index):
            return None
        wrong = {int(i) for s in self.scored.values() for i in s.index[s.probability.argmax(1) != s.labels]}
        return next((k for k, i in enumerate(self.examples.index.tolist()) if i not in wrong), 0)

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The log's records of one kind, in order."""
        return [record for record in self.log if record.get("kind") == kind]


def read_run(path: Path) -> RunFolder:
    """The run folder at `path`.

    Raises:
        RunError: it is no run folder, or a piece of it is missing or damaged.
    """
    if not path.is_dir():
        raise RunError(f"There is no run folder at {path}.")
    if not (path / layout.MANIFEST).is_file():
        raise RunError(f"{path} is not a run folder, or an incomplete one: it holds no manifest.json.")
    manifest = Manifest.load(path / layout.MANIFEST)
    recipe = _json(path / layout.RECIPE)
    check_format(path, recipe)
    examples = _examples(path / layout.EXAMPLES, len(manifest.paths))
    hashes = _hashes(path)
    return RunFolder(
        path=path,
        recipe=recipe,
        manifest=manifest,
        log=_log(path / layout.LOG),
        model=_json(path / "model" / layout.MODEL_FACTS),
        metrics=_json(path / layout.METRICS),
        scored=_predictions(path / layout.PREDICTIONS, manifest),
        examples=examples,
        hashes=hashes,
        check=_json(path / layout.CHECK) if (path / layout.CHECK).exists() else None,
        checked=read_pixels(path / layout.CHECK_PICTURES),
        album=_album(path / layout.EXPLANATIONS, examples, len(manifest.classes)),
        map=_map(path / layout.MAP, len(manifest.paths)),
        layers=_json(path / layout.NETWORK) if (path / layout.NETWORK).exists() else None,
        probes=_probes(path, hashes.get(layout.FINGERPRINTED[-1])),
    )


def optional(path: Path) -> dict[str, Any] | None:
    """A JSON file that older runs do not have; None where there is none.

    Raises:
        RunError: it is damaged.
    """
    return _json(path) if path.exists() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path} is missing; a run folder has one, so this run is incomplete.") from None
    except (OSError, UnicodeDecodeError) as why:
        raise RunError(f"{path} cannot be read: {why}.") from why


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as why:
        raise RunError(f"{path} is damaged: it is not valid JSON ({why}).") from why
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged: it should hold one JSON object.")
    return found


def _log(path: Path) -> list[dict[str, Any]]:
    """The log's records. A last line cut short is what a killed process leaves behind, and is passed over."""
    records = []
    lines = _text(path).split("\n")  # `splitlines` also ends them at letters that names of files may have
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as why:
            if number == len(lines):
                break
            raise RunError(f"{path} is damaged: line {number} is not valid JSON.") from why
        if not isinstance(record, dict):
            raise RunError(f"{path} is damaged: line {number} should hold one JSON object.")
        records.append(record)
    return records


def _arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an .npz file; None where there is no such file."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as why:
        raise RunError(f"{path} is damaged: {why}.") from why


def _predictions(path: Path, manifest: Manifest) -> dict[str, Scored]:
    arrays = _arrays(path) or {}
    scored = {}
    for part in ("validation", "test"):
        index, probability = arrays.get(f"{part}_index"), arrays.get(f"{part}_probability")
        if index is None or probability is None or not len(index):
            continue
        _check_index(path, index, len(manifest.paths))
        labels = manifest.labels[index]
        try:
            scored[part] = Scored(part, index, probability, labels, evaluate(probability, labels, manifest.classes))
        except SvertkaError as why:
            raise RunError(f"{path} does not fit the manifest, for the {part} part: {why}") from why
    return scored


def _examples(path: Path, files: int) -> Examples | None:
    arrays = _arrays(path)
    if arrays is None:
        return None
    pixels, index = arrays.get("pixels"), arrays.get("index")
    if pixels is None or index is None:
        raise RunError(f"{path} is damaged: it should hold `pixels` and `index`.")
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[3] not in (1, 3) or 0 in pixels.shape[1:]:
        raise RunError(
            f"{path} is damaged: pixels should be uint8 (k, h, w, 1 or 3), not {pixels.dtype} {pixels.shape}."
        )
    if len(index) != len(pixels):
        raise RunError(f"{path} is damaged: it has {len(pixels)} pictures but {len(index)} indices.")
    _check_index(path, index, files)
    if not {"original", "original_size", "original_of"} <= arrays.keys():
        return Examples(pixels, index)
    height, width = map(int, arrays["original_size"])
    return Examples(pixels, index, arrays["original"], (height, width), int(arrays["original_of"]))


def _album(path: Path, examples: Examples | None, classes: int) -> dict[str, np.ndarray]:
    """What the network looked at, where it fits the examples and the classes."""
    arrays = _arrays(path) or {}
    if "heat_place" not in arrays or examples is None:
        return {}
    try:
        k = len(arrays["heat_place"])
        _check_index(path, arrays["heat_place"], len(examples.index))
        fits = all(len(arrays[f"heat_{name}"]) == k for name in ("target", "rival", "share", "own", "against"))
        fits = fits and max(arrays["heat_target"].max(initial=0), arrays["heat_rival"].max(initial=0)) < classes
    except (KeyError, TypeError) as why:
        raise RunError(f"{path} is damaged: {why!r}; delete it, and `svertka report` makes it again.") from why
    if not fits:
        raise RunError(f"{path} does not fit the examples; delete it, and `svertka report` makes it again.")
    return arrays


def _probes(path: Path, weights: str | None) -> dict[str, dict[str, Any]]:
    """What was measured with the weights that the run has now; a training that went on leaves the old behind."""
    found = {name: optional(path / f"{name}.json") for name in PROBES}
    return {name: probe for name, probe in found.items() if probe is not None and probe.get("weights") == weights}


def _map(path: Path, files: int) -> dict[str, np.ndarray]:
    """The map of the pictures, where every array has the shape that `verbs.mapping` gives it."""
    arrays = _arrays(path)
    if arrays is None:
        return {}
    try:
        index, laid = arrays["index"], [arrays["points"], *(arrays[k] for k in ("near",) if k in arrays)]
        fits = all(points.shape == (len(index), 2) and bool(np.isfinite(points).all()) for points in laid)
        if "axes" in arrays:
            axes = arrays["axes"]
            fits = fits and axes.ndim == 2 and axes.shape[0] == len(index) and axes.shape[1] >= 2
            fits = fits and bool(np.isfinite(axes).all())
        if fits and "asked" in arrays:
            asked, similar, pixels = arrays["asked"], arrays["similar"], arrays["pixels"]
            k, near = similar.shape
            fits = len(asked) == k and arrays["cosine"].shape == (k, near) and pixels.shape[:2] == (k, 1 + near)
            fits = fits and pixels.ndim == 5 and pixels.dtype == np.uint8 and pixels.shape[4] in (1, 3)
            fits = fits and 0 not in pixels.shape
            _check_index(path, np.concatenate([asked, similar.ravel()]), files)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as why:
        raise RunError(f"{path} is damaged: {why!r}; without this file the report leaves the map out.") from why
    if not fits:
        raise RunError(
            f"{path} is damaged: its arrays do not fit each other; without it the report leaves the map out."
        )
    _check_index(path, index, files)
    return arrays


def _check_index(path: Path, index: np.ndarray, files: int) -> None:
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise RunError(f"{path} is damaged: its indices are not one row of integers.")
    if len(index) and not (index.min() >= 0 and index.max() < files):
        raise RunError(f"{path} points outside the {files} files of the manifest.")


def _hashes(path: Path) -> dict[str, str]:
    """SHA-256 of what fixes the result: data, recipe, weights."""
    hashes = {}
    for name in layout.FINGERPRINTED:
        if (path / name).is_file():
            with (path / name).open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes

"""Reads a run folder, and nothing else, into plain data for the report.

A piece that the report cannot do without and that is missing or damaged is a RunError naming the file.
Predictions and examples may be absent: a run that was stopped early, or that had no validation part, still
deserves its page. Keys that a run does not have are simply not shown, so that older and newer runs open.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data import Manifest
from svertka.errors import RunError, SvertkaError
from svertka.evaluation import Evaluation, evaluate
from svertka.reporting.check import read_pixels


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
    """Pictures as the network sees them: `pixels` uint8 (k, h, w, c), `index` (k,) into the manifest."""

    pixels: np.ndarray
    index: np.ndarray


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

    @property
    def looked_at(self) -> Scored | None:
        """The part whose classes and mistakes are shown: the validation pictures, so that the test is not used up."""
        return self.scored.get("validation") or self.scored.get("test")

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
    manifest = Manifest.load(path / "manifest.json")
    return RunFolder(
        path=path,
        recipe=_json(path / "recipe.json"),
        manifest=manifest,
        log=_log(path / "log.jsonl"),
        model=_json(path / "model" / "model.json"),
        metrics=_json(path / "metrics.json"),
        scored=_predictions(path / "predictions.npz", manifest),
        examples=_examples(path / "examples.npz", len(manifest.paths)),
        hashes=_hashes(path),
        check=_json(path / "check.json") if (path / "check.json").exists() else None,
        checked=read_pixels(path / "check.npz"),
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
    lines = _text(path).splitlines()
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
    return Examples(pixels, index)


def _check_index(path: Path, index: np.ndarray, files: int) -> None:
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise RunError(f"{path} is damaged: its indices are not one row of integers.")
    if len(index) and not (index.min() >= 0 and index.max() < files):
        raise RunError(f"{path} points outside the {files} files of the manifest.")


def _hashes(path: Path) -> dict[str, str]:
    """SHA-256 of what fixes the result: data, recipe, weights."""
    hashes = {}
    for name in ("manifest.json", "recipe.json", "model/weights.safetensors"):
        if (path / name).is_file():
            with (path / name).open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes

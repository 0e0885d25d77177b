"""What a training leaves behind: its recipe at the start; scores, pictures and metrics at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

import svertka
from svertka.analysis.error_analysis import failures
from svertka.common.atomic_write import write_npz
from svertka.errors import ReadError, TrainingError
from svertka.evaluation import Evaluation, evaluate, worst_mistakes
from svertka.evaluation.errors.label_errors import suspects
from svertka.evaluation.metrics import least_certain
from svertka.evaluation.selective_prediction import to_rows
from svertka.evaluation.temperature_scaling import fit_temperature, softmax
from svertka.hardware.device import machine, peak_allocated, peak_resident
from svertka.hardware.plan import Plan
from svertka.kinds import image
from svertka.pipeline.context import Job
from svertka.runs import layout

SHOWN = 24  # worst mistakes that the report may show
DOUBTED = 12  # and so many suspected labels, and least certain answers
KEPT, LEAST = 16_000_000, 8  # bytes of pictures that a run folder keeps, but so many pictures at least
SIDE = 480  # of the one picture that is kept as it was, at most
BRIEFLY = ("parameters", "epochs", "seconds", "images_per_second", "plan", "stopped")  # in what `--json` prints


@dataclass
class Scores:
    """How good a network is: `found` by part, and predictions for predictions.npz; shares at `temperature`.

    thresholds  what the model keeps for answering only when sure (evaluation/selective_prediction.py)
    """

    found: dict[str, Evaluation | None] = field(default_factory=lambda: {"validation": None, "test": None})
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    temperature: float = 1.0
    thresholds: list[list[float]] = field(default_factory=list)


def score(job: Job, parts: Iterable[tuple[str, Tensor, Tensor]]) -> Scores:
    """Score (part, logits (n, classes), labels (n,)); validation, which comes first, sets the temperature of both."""
    scores = Scores()
    for part, *tensors in parts:
        logits, labels = (t.cpu().numpy() for t in tensors)
        if part == "validation":
            scores.temperature = fit_temperature(logits, labels)
        shares = softmax(logits, scores.temperature)
        scores.found[part] = found = evaluate(shares, labels, job.manifest.classes)
        if part == "validation":
            scores.thresholds = to_rows(found.abstaining)
        scores.arrays |= {f"{part}_index": job.manifest.indices(part), f"{part}_probability": shares}
    return scores


def write_recipe(job: Job, plan: Plan, begun_with: dict[str, Any]) -> None:
    """recipe.json and manifest.json; `begun_with` is what a resume begins with again: the network, or its weights."""
    job.run.write(
        layout.RECIPE,
        {
            "format": layout.FORMAT,
            "svertka": svertka.__version__,
            "command": job.command,
            "data": job.source.to_dict(),
            "recipe": job.recipe.to_dict(),
            "reasons": job.reasons,
            "preprocess": job.preprocess.to_dict(),
            **begun_with,
            "plan": plan.to_dict(),
        },
    )
    job.manifest.save(job.run.path / layout.MANIFEST)
    job.run.log({"kind": "recipe", "recipe": job.recipe.to_dict(), "data": job.source.where})


def rewrite_recipe(job: Job) -> None:
    """The same recipe.json, with the recipe as it has become."""
    told = job.run.read(layout.RECIPE)
    job.run.write(layout.RECIPE, {**told, "recipe": job.recipe.to_dict(), "reasons": job.reasons})


def write_arrays(job: Job, arrays: dict[str, np.ndarray]) -> None:
    """predictions.npz, and examples.npz: what the report may show: the worst mistakes, one picture of each class,
    suspected labels and the least certain answers, as far as they fit."""
    worst, doubted = [], []
    for part in ("validation", "test"):
        if f"{part}_index" in arrays:
            index = arrays[f"{part}_index"]
            rows = worst_mistakes(arrays[f"{part}_probability"], job.manifest.labels[index], SHOWN)
            worst.append(index[rows])
            if part == "validation":
                doubted = _doubted(arrays[f"{part}_probability"], job.manifest.labels[index], index)
    usual = _one_of_each(job)  # how pictures look that were learned from
    first = [usual[:1], *worst[:1], usual[1:], *doubted, *worst[1:]]  # in the order of their use to the report
    size = int(np.prod(job.store.pixels.shape[1:]))
    index = np.unique(np.concatenate(first)[: max(LEAST, KEPT // size)])
    try:
        # of a run that was stopped: what was seen in other examples
        (job.run.path / layout.EXPLANATIONS).unlink(missing_ok=True)
        write_npz(job.run.path / layout.PREDICTIONS, arrays)
        pixels = np.asarray(job.store.pixels[index])
        examples = {"pixels": pixels, "index": index, **_original(job, index, int(usual[0]))}
        write_npz(job.run.path / layout.EXAMPLES, examples)
    except OSError as why:
        raise TrainingError(f"{job.run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def _doubted(shares: np.ndarray, labels: np.ndarray, index: np.ndarray) -> list[np.ndarray]:
    """Files of `index` (m,): those whose labels are most doubted, and those whose answers were least certain."""
    ranked = suspects(shares, labels)
    return [index[ranked.order[: min(ranked.count, DOUBTED)]], index[least_certain(shares, DOUBTED)]]


def write_failures(job: Job, scores: Scores) -> None:
    """failing.json: where the validation pictures show that the network fails."""
    if "validation_index" not in scores.arrays:
        return
    files = job.manifest
    found = failures(
        scores.arrays["validation_probability"], scores.arrays["validation_index"], files.labels, files.classes,
        files.paths, job.store, learned=files.digests[files.indices("train")], groups=job.source.groups,
    )  # fmt: skip
    job.run.write(layout.FAILING, {"part": "validation", **found})


def _original(job: Job, index: np.ndarray, file: int) -> dict[str, np.ndarray]:
    """One picture as it was, reduced to SIDE, with its true size."""
    if job.preprocess.kind != "image":  # others are shown as they are stored
        return {}
    path = job.source.paths[file]
    try:
        pixels = image.decode(job.source.read(file), path, least=(SIDE, SIDE))
    except ReadError:  # it was there when training began
        return {}
    thin = -(-max(pixels.shape[:2]) // SIDE)
    return {
        "original": pixels.reshape(*pixels.shape[:2], -1)[::thin, ::thin],
        "original_size": np.asarray(job.store.sizes[file]),
        "original_of": np.flatnonzero(index == file)[0],
    }


def _one_of_each(job: Job) -> np.ndarray:
    index = job.manifest.indices("train")
    _, first = np.unique(job.manifest.labels[index], return_index=True)
    return index[first[:SHOWN]]


def write_metrics(
    job: Job,
    plan: Plan,
    net: nn.Module,
    found: dict[str, Evaluation | None],
    *,
    seconds: float,
    speed: float,
    epochs: int | None,
    stopped: bool = False,
    best_epoch: int = 0,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """metrics.json; returns what `train --json` prints.

    Args:
        job, plan, net: what was done, how, and what learned.
        found: how good it is, by part.
        seconds: spent learning.
        speed: pictures a second while learning.
        stopped: it was interrupted and can be resumed.
        epochs: passes that were taken, which may be fewer than planned; None where nothing was learned in passes.
        best_epoch: the pass whose weights were kept.
        more: rows for metrics.json that only this kind of training has.
    """
    metrics = {
        **{part: e.to_dict() if e else None for part, e in found.items()},
        "stopped": stopped,
        "parameters": sum(p.numel() for p in net.parameters()),
        "epochs": epochs,
        "best_epoch": best_epoch,
        "seconds": {
            "total": round(time.perf_counter() - job.started, 3),
            "read": round(job.read_seconds, 3),
            "train": round(seconds, 3),
        },
        "time": job.clock.table(),
        "memory": {"peak": peak_resident(), "device": peak_allocated(plan.device)},
        "images_per_second": round(speed, 1),
        "plan": plan.to_dict(),
        "machine": machine(),
        "unreadable": [{"path": u.path, "reason": u.reason} for u in job.unreadable()],
        "skipped": [{"path": u.path, "reason": u.reason} for u in job.source.skipped],
        "notes": job.notes,
        **(more or {}),
    }
    job.run.write(layout.METRICS, metrics)
    brief = {part: _brief(e) for part, e in found.items()}
    job.run.log({"kind": "result", **brief, "stopped": stopped})
    return {
        "run": str(job.run.path),
        "net": job.recipe.net,
        "classes": list(job.manifest.classes),
        **{k: metrics[k] for k in BRIEFLY},
        **brief,
    }


def _brief(found: Evaluation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    a = found.accuracy
    return {"accuracy": a.value, "low": a.low, "high": a.high, "n": a.n}

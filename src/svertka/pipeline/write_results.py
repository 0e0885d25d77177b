"""The last step of a training: its model, scores, pictures, metrics and report. Its recipe is written at the start."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

import svertka
from svertka.analysis.error_analysis import failures
from svertka.analysis.training_report import report_training
from svertka.blocks import Net
from svertka.common.atomic_write import write_npz
from svertka.data.splitting.manifest import Part
from svertka.errors import ReadError, TrainingError
from svertka.evaluation import Evaluation, evaluate, worst_mistakes
from svertka.evaluation.errors.label_errors import suspects
from svertka.evaluation.metrics import least_certain
from svertka.evaluation.selective_prediction import to_rows
from svertka.evaluation.temperature_scaling import fit_temperature, softmax
from svertka.hardware.device import machine, peak_allocated, peak_resident
from svertka.hardware.plan import Plan
from svertka.kinds import image
from svertka.models import Model
from svertka.pipeline.context import Context, Trained
from svertka.pipeline.distributed_worker import signal_done
from svertka.pipeline.ladder.embedding_map import write_map
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


@dataclass(frozen=True)
class Fitted:
    """What was learned.

    context     as it has become: the clock may have changed the number of passes
    net, spec   the network, and how to build it again
    answers     its logits (n, classes) and the labels (n,) of each part that judges, validation first
    mirror      whether its answer is the mean over a picture and its mirror image
    stopped     it was interrupted and can be resumed
    seconds     spent learning
    speed       pictures a second while learning
    epochs      passes that were taken; None where nothing was learned in passes
    best_epoch  the pass whose weights are kept
    metrics     rows for metrics.json that only this kind of training has, asked for once the model is written
    ladder      rows for both metrics.json and the summary
    features    of each part, from each frozen network that stands in the winner: (n, d)
    temporary   a folder that nobody needs once the results are written
    """

    context: Context
    plan: Plan
    net: Net
    spec: dict[str, Any]
    answers: Mapping[Part, tuple[Tensor, Tensor]]
    mirror: bool
    stopped: bool
    seconds: float
    speed: float
    epochs: int | None
    best_epoch: int = 0
    metrics: Callable[[], dict[str, Any]] = dict
    ladder: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[Part, list[Tensor]] | None = None
    temporary: Path | None = None


def write_results(fitted: Fitted) -> Trained:
    """Score what was learned, and complete the run folder.

    Raises:
        TrainingError: the folder cannot be written.
    """
    context, path = fitted.context, fitted.context.run.path
    scores = score(context, fitted.answers)
    net = fitted.net.cpu()  # as whoever opens the model has it
    model = Model(
        net, context.classes, context.preprocess, fitted.spec, scores.temperature, scores.thresholds, fitted.mirror
    )
    model.save(path / layout.MODEL)
    write_arrays(context, scores.arrays)
    write_failures(context, scores)
    if fitted.features is not None:
        write_map(context, fitted.features, scores.arrays.get("validation_probability"))
    summary = write_metrics(fitted, scores.found, model.facts["weights"]["sha256"])
    report_training(path, model, summary["seconds"]["total"])
    if fitted.temporary is not None:
        shutil.rmtree(fitted.temporary, ignore_errors=True)
    return signal_done(Trained(path, summary, fitted.stopped))


def score(context: Context, answers: Mapping[Part, tuple[Tensor, Tensor]]) -> Scores:
    """Score logits (n, classes) against labels (n,); validation, which comes first, sets the temperature of both."""
    scores = Scores()
    for part, tensors in answers.items():
        logits, labels = (t.cpu().numpy() for t in tensors)
        if part == "validation":
            scores.temperature = fit_temperature(logits, labels)
        shares = softmax(logits, scores.temperature)
        scores.found[part] = found = evaluate(shares, labels, context.classes)
        if part == "validation":
            scores.thresholds = to_rows(found.abstaining)
        scores.arrays |= {f"{part}_index": context.data.manifest.indices(part), f"{part}_probability": shares}
    return scores


def write_recipe(context: Context, plan: Plan, start: dict[str, Any]) -> None:
    """recipe.json and manifest.json; `start` is what a resume begins with again: the network, or its weights."""
    context.run.write(
        layout.RECIPE,
        {
            "format": layout.FORMAT,
            "svertka": svertka.__version__,
            "command": context.command,
            "data": context.data.source.to_dict(),
            "recipe": context.recipe.to_dict(),
            "reasons": context.reasons,
            "preprocess": context.preprocess.to_dict(),
            **start,
            "plan": plan.to_dict(),
        },
    )
    context.data.manifest.save(context.run.path / layout.MANIFEST)
    context.run.log({"kind": "recipe", "recipe": context.recipe.to_dict(), "data": context.data.source.where})


def rewrite_recipe(context: Context) -> None:
    """The same recipe.json, with the recipe as it has become."""
    config = context.run.read(layout.RECIPE)
    context.run.write(layout.RECIPE, {**config, "recipe": context.recipe.to_dict(), "reasons": context.reasons})


def write_arrays(context: Context, arrays: dict[str, np.ndarray]) -> None:
    """predictions.npz, and examples.npz: what the report may show: the worst mistakes, one picture of each class,
    suspected labels and the least certain answers, as far as they fit."""
    worst, doubted = [], []
    for part in ("validation", "test"):
        if f"{part}_index" in arrays:
            index = arrays[f"{part}_index"]
            rows = worst_mistakes(arrays[f"{part}_probability"], context.data.manifest.labels[index], SHOWN)
            worst.append(index[rows])
            if part == "validation":
                doubted = _doubted(arrays[f"{part}_probability"], context.data.manifest.labels[index], index)
    usual = _one_of_each(context)  # how pictures look that were learned from
    first = [usual[:1], *worst[:1], usual[1:], *doubted, *worst[1:]]  # in the order of their use to the report
    size = int(np.prod(context.data.store.pixels.shape[1:]))
    index = np.unique(np.concatenate(first)[: max(LEAST, KEPT // size)])
    try:
        # of a run that was stopped: what was seen in other examples
        (context.run.path / layout.EXPLANATIONS).unlink(missing_ok=True)
        write_npz(context.run.path / layout.PREDICTIONS, arrays)
        pixels = np.asarray(context.data.store.pixels[index])
        examples = {"pixels": pixels, "index": index, **_original(context, index, int(usual[0]))}
        write_npz(context.run.path / layout.EXAMPLES, examples)
    except OSError as why:
        raise TrainingError(f"{context.run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def _doubted(shares: np.ndarray, labels: np.ndarray, index: np.ndarray) -> list[np.ndarray]:
    """Files of `index` (m,): those whose labels are most doubted, and those whose answers were least certain."""
    ranked = suspects(shares, labels)
    return [index[ranked.order[: min(ranked.count, DOUBTED)]], index[least_certain(shares, DOUBTED)]]


def write_failures(context: Context, scores: Scores) -> None:
    """failing.json: where the validation pictures show that the network fails."""
    if "validation_index" not in scores.arrays:
        return
    files = context.data.manifest
    found = failures(
        scores.arrays["validation_probability"], scores.arrays["validation_index"], files.labels, files.classes,
        files.paths, context.data.store, learned=files.digests[files.indices("train")],
        groups=context.data.source.groups,
    )  # fmt: skip
    context.run.write(layout.FAILING, {"part": "validation", **found})


def _original(context: Context, index: np.ndarray, file: int) -> dict[str, np.ndarray]:
    """One picture as it was, reduced to SIDE, with its true size."""
    if context.preprocess.kind != "image":  # others are shown as they are stored
        return {}
    path = context.data.source.paths[file]
    try:
        pixels = image.decode(context.data.source.read(file), path, least=(SIDE, SIDE))
    except ReadError:  # it was there when training began
        return {}
    thin = -(-max(pixels.shape[:2]) // SIDE)
    return {
        "original": pixels.reshape(*pixels.shape[:2], -1)[::thin, ::thin],
        "original_size": np.asarray(context.data.store.sizes[file]),
        "original_of": np.flatnonzero(index == file)[0],
    }


def _one_of_each(context: Context) -> np.ndarray:
    index = context.data.manifest.indices("train")
    _, first = np.unique(context.data.manifest.labels[index], return_index=True)
    return index[first[:SHOWN]]


def write_metrics(fitted: Fitted, found: Mapping[str, Evaluation | None], digest: str) -> dict[str, Any]:
    """metrics.json, with how good it is by part, and the digest of the weights; returns what `train --json` prints."""
    context, plan = fitted.context, fitted.plan
    metrics = {
        **{part: e.to_dict() if e else None for part, e in found.items()},
        "stopped": fitted.stopped,
        "parameters": sum(p.numel() for p in fitted.net.parameters()),
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "seconds": {
            "total": round(context.clock.elapsed, 3),
            "read": round(context.read_seconds, 3),
            "train": round(fitted.seconds, 3),
        },
        "time": context.clock.table(),
        "memory": {"peak": peak_resident(), "device": peak_allocated(plan.device)},
        "images_per_second": round(fitted.speed, 1),
        "plan": plan.to_dict(),
        "machine": machine(),
        "unreadable": [{"path": u.path, "reason": u.reason} for u in context.data.unreadable()],
        "skipped": [u.to_dict() for u in context.data.source.skipped],
        "notes": context.journal.notes,
        "weights": digest,
        **fitted.metrics(),
        **fitted.ladder,
    }
    context.run.write(layout.METRICS, metrics)
    brief = {part: _brief(e) for part, e in found.items()}
    context.run.log({"kind": "result", **brief, "stopped": fitted.stopped})
    return {
        "run": str(context.run.path),
        "net": context.recipe.net,
        "classes": list(context.classes),
        **{k: metrics[k] for k in BRIEFLY},
        **brief,
        **fitted.ladder,
    }


def _brief(found: Evaluation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    a = found.accuracy
    return {"accuracy": a.value, "low": a.low, "high": a.high, "n": a.n}

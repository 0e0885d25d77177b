"""Telling a person what a run will take, before it starts; and whether pictures or arithmetic held it up."""

from __future__ import annotations

import shutil
import time
from typing import Any

import torch
from torch import nn

from svertka.common.messages import message
from svertka.errors import TrainingError
from svertka.hardware import device
from svertka.hardware.plan import Plan
from svertka.pipeline.context import Context
from svertka.training.monitoring.estimate import Forecast, Load, disk_bytes, end_seconds, pass_seconds, spoken_bytes
from svertka.training.monitoring.timed_loader import Timed
from svertka.training.schedules.progressive_resizing import work

SMALL = 32  # pixels of a side below which nobody is told to take smaller pictures
WAITING = 0.25  # from this share of the time on, pictures are what a run waits for
WORTH = 60.0  # seconds of training from which on a person may want it shorter


def measure_load(context: Context, train: Timed) -> Load:
    """What the run has to do; two batches are made and thrown away to see how long one takes."""
    seconds = []
    batches = train.epoch(0)
    for _ in range(min(2, len(train))):
        start = time.perf_counter()
        next(batches)
        device.finish(str(train.device))
        seconds.append(time.perf_counter() - start)
    batches.close()  # type: ignore[attr-defined]
    train.waited = train.used = 0.0
    return Load(
        len(train), train.batch, min(seconds, default=0.0), context.data.count("validation"), context.data.count("test")
    )


def make_forecast(context: Context, net: nn.Module, plan: Plan, load: Load) -> Forecast:
    """Seconds, memory and disk of the whole run.

    Raises:
        TrainingError: the disk has not enough room for it.
    """
    each, end = pass_seconds(plan, load), end_seconds(plan, load)
    scores = (load.validation + load.test) * len(context.classes)
    disk, peak = disk_bytes(sum(t.nbytes for t in net.state_dict().values()), context.recipe, scores)
    seconds = context.clock.elapsed + work(context.recipe.grow or 0.0, 0, context.recipe.epochs or 1) * each + end
    found = Forecast(seconds, each, end, _memory(context, plan), disk, peak)
    free = shutil.disk_usage(context.run.path).free
    if free < disk:
        raise TrainingError(
            f"{context.run.path} needs {spoken_bytes(disk)} and its disk has {spoken_bytes(free)} left: "
            "make room, or name a folder elsewhere with --out."
        )
    if free < peak:
        context.note(
            message(
                "disk-short",
                "The disk of {path} has {free} left, and writing a checkpoint takes up to {needed} for a moment: "
                "training may have to stop.",
                path=str(context.run.path),
                free=spoken_bytes(free),
                needed=spoken_bytes(peak),
            )
        )
    return found


def _memory(context: Context, plan: Plan) -> int | None:
    """Bytes that the process will hold on the CPU, or its tensors on a GPU."""
    pixels = int(context.data.store.pixels.nbytes)
    if plan.device.startswith("cuda"):
        return torch.cuda.memory_allocated(plan.device) + plan.memory + pixels
    here = device.resident()
    return None if here is None else here + plan.memory + pixels


def limit(train: Timed, plan: Plan, context: Context) -> dict[str, Any]:
    """What held training up: {"by": "input" or "compute", "waiting": share, "advice": sentence}."""
    share = train.share
    if share >= WAITING:
        advice = message(
            "limit.input",
            "Training waits for its pictures {share} of the time. {detail} would shorten it, a faster network or "
            "device would not.",
            share=f"{share:.0%}",
            detail=_slowest(context),
        )
        return {"by": "input", "waiting": round(share, 4), "advice": advice}
    preprocess = context.preprocess
    side = min(preprocess.stored[:-1]) if preprocess.kind == "image" else 0
    advice = message(
        "limit.compute",
        "Training waits for its pictures only {share} of the time: {detail} would shorten it.",
        share=f"{share:.0%}",
        detail=_shorter(side, plan),
    )
    return {"by": "compute", "waiting": round(share, 4), "advice": advice}


def _shorter(side: int, plan: Plan) -> str:
    """What makes computing shorter."""
    less = message("shorter.network", "a smaller network (--net) or fewer passes")
    if side > SMALL:
        less = message("shorter.pictures", "smaller pictures (--size below {side}), {rest}", side=str(side), rest=less)
    return message("shorter.gpu", "a GPU, {rest}", rest=less) if plan.device == "cpu" else less


def _slowest(context: Context) -> str:
    """What making a batch spends its time on, most likely."""
    recipe = context.recipe
    settings = recipe.augment.settings()
    used = {name: value for name, value in recipe.augment.varying.items() if settings[name]["dear"]}
    if used:
        name, value = next(iter(used.items()))
        return message(
            "shorter.augment",
            "Less augmentation (here {names}; --set {setting})",
            names=", ".join(used),
            setting=f"{name}={'no' if value is True else 0}",
        )
    free = device.free_memory("cpu")
    if free is not None and context.data.store.pixels.nbytes > free:
        return message(
            "shorter.memory", "More memory, or smaller pictures (--size), so that the decoded pictures stay in it,"
        )
    return message("shorter.cores", "More processor cores, or smaller pictures (--size),")

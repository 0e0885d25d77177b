"""What a run will take, told before its first step: time, memory and disk. And at its end, how true that was."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svertka.hardware.plan import Plan
from svertka.optimizers.registry import OPTIMIZERS
from svertka.training.recipe import Recipe

SLACK = 1.1  # the plan's least time of a step is what nothing disturbed; a run is disturbed
EXACT = 1.6  # a forward pass in float32, as validation computes, beside one of the plan in bfloat16 or float16
END = 1.0  # seconds to write model, metrics and report
PAGE = 2 * 2**20  # bytes of the report, the log and the small files


@dataclass(frozen=True, slots=True)
class Forecast:
    """Before the first step: seconds of the whole run, of one pass and of the end; bytes of memory and disk.

    peak is what the disk holds while a checkpoint replaces the one before it.
    """

    seconds: float
    each: float
    end: float
    memory: int | None
    disk: int
    peak: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in dataclasses.asdict(self).items()}

    def beside(self, seconds: float, memory: int | None, disk: int) -> dict[str, Any]:
        """The forecast and the truth, for metrics.json."""
        forecast = {"seconds": round(self.seconds, 3), "memory": self.memory, "disk": self.disk}
        truth = {"seconds": round(seconds, 3), "memory": memory, "disk": disk}
        return {key: {"forecast": forecast[key], "truth": truth[key]} for key in forecast}


@dataclass(frozen=True, slots=True)
class Load:
    """What a run has to do: steps a pass, seconds to make a batch; pictures that validate and that test."""

    steps: int
    batch: int
    making: float
    validation: int
    test: int


def pass_seconds(plan: Plan, load: Load) -> float:
    """One pass: every batch made and learned from, then validation."""
    return SLACK * (load.steps * (plan.step + load.making) + load.validation * each_forward(plan, load))


def end_seconds(plan: Plan, load: Load) -> float:
    """From the last step to the end of the process."""
    return END + SLACK * (load.validation + load.test) * each_forward(plan, load)


def each_forward(plan: Plan, load: Load) -> float:
    """Seconds for one picture to be measured."""
    exact = EXACT if plan.precision in ("bfloat16", "float16") else 1.0
    making = load.making / load.batch
    return making + exact * plan.step * plan.shares.get("forward", 1 / 3) / load.batch


def disk_bytes(weights: int, recipe: Recipe, scores: int) -> tuple[int, int]:
    """(at the end, at most) of a run folder: `weights` bytes of the network, `scores` predictions of four bytes."""
    # in a checkpoint: the network, the best so far, what the optimizer keeps, the average
    kept = 2 + OPTIMIZERS[recipe.optimizer or "nesterov"].buffers_per_weight + bool(recipe.ema_decay)
    end = weights * (1 + kept) + 4 * scores + PAGE
    return end, end + weights * kept


def used_disk(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def spoken_bytes(number: float) -> str:
    """Bytes as a person reads them.

    >>> spoken_bytes(3_250_000), spoken_bytes(812)
    ('3.2 MB', '0.8 kB')
    """
    power = min(4, max(1, int(math.log(max(1, number), 1000))))
    return f"{number / 1000**power:.1f} {' kMGT'[power]}B"

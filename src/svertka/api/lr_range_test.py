"""The learning-rate range test: how high a rate these pictures and this network bear.

Smith 2015, "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3: the rate rises step
by step, and the loss falls as long as the rate is of use.
"""

from __future__ import annotations

import dataclasses
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka.api.preview import write_picture
from svertka.common.torchrun import refuse_several
from svertka.errors import NotFinite, TrainingError, UsageError
from svertka.pipeline.context import Where
from svertka.pipeline.dry_run import Rehearsal
from svertka.records import Watch, encoded, silent
from svertka.training import loop
from svertka.training.gradient_accumulation import step_with_oom_retry
from svertka.training.optimizer_factory import set_rate

STEPS = 200
LOW, HIGH = 1e-3, 1e2  # of the rate that is usual for the optimizer
QUICK = 0.8  # what the running mean keeps that says while steps are taken whether the loss has run away
WIDTH = 9  # steps to each side in the mean that is judged: it looks both ways, so that it does not lag


@dataclass(frozen=True, slots=True)
class Range:
    """What `find_rate` returns.

    rates, losses, smoothed  at each step
    lowest    the rate at which the smoothed loss was lowest
    steepest  the rate at which it fell fastest
    peak      the rate that is suggested as the peak of a schedule
    usual     what `train` would take
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest: float
    steepest: float
    peak: float
    usual: float
    ended: str
    path: Path | None = None

    @property
    def reason(self) -> str:
        """The suggestion in words."""
        return (
            f"The loss fell fastest at {self.steepest:.2g} and was lowest at {self.lowest:.2g}; {self.ended}. "
            f"{self.peak:.2g} is a peak for a schedule that warms up and falls again."
        )

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "peak": self.peak, "lowest": self.lowest, "steepest": self.steepest, "usual": self.usual,
            "reason": self.reason, "set": f"--set learning_rate={self.peak:g}",
            "plot": str(self.path) if self.path else None,
            "steps": [{"rate": r, "loss": a, "smoothed": b} for r, a, b in zip(*self.curves(), strict=True)],
        }  # fmt: skip

    def curves(self) -> tuple[tuple[float, ...], ...]:
        """rates, losses and smoothed losses."""
        return self.rates, self.losses, self.smoothed


def find_rate(
    data: Where, *, steps: int = STEPS, out: str | Path | None = None, watch: Watch = silent, **settings: Any
) -> Range:
    """Train for some steps at rates that rise from far too low to too high, and say which peak they suggest.

    Args:
        data: what `train` takes.
        steps: how many, 20 or more.
        out: where to draw the curve, a PNG file that is not there yet; NAME-rates.png here where None.
        watch: called with each `Note`, `FilesDecoded` and `PlanChosen`.
        settings: what `train` takes as settings; what is left out is what `train` would choose.

    Raises:
        DataError: no usable pictures.
        UsageError: a setting is wrong, `out` exists, or torchrun has started several processes.
        TrainingError: the loss is lost at the lowest rate already.
    """
    if steps < 20:
        raise UsageError(f"A range of rates needs 20 steps or more; received {steps}.")
    if out is not None and Path(out).exists():
        raise UsageError(f"{out} exists already and is never overwritten; name another file with --out.")
    refuse_several("--find-rate")
    rehearsal = Rehearsal(data, watch, **settings)
    usual = rehearsal.recipe.learning_rate or 0.0
    with torch.random.fork_rng(), rehearsal.plan.torch_settings():
        rates, losses, ended = _climb(rehearsal, usual, steps)
    found = judged(rates, losses, usual, ended)
    return dataclasses.replace(found, path=write_picture(drawn(found, rehearsal.name), out, f"{rehearsal.name}-rates"))


def _climb(rehearsal: Rehearsal, usual: float, steps: int) -> tuple[list[float], list[float], str]:
    state, train = rehearsal.begin(), rehearsal.pictures("train")
    state.learning_mode()
    rates: list[float] = []
    losses: list[float] = []
    batches = (batch for epoch in range(steps) for batch in train.epoch(epoch))
    mean, lowest, first = 0.0, math.inf, 0.0
    for k, batch in zip(range(steps), batches, strict=False):
        rate = usual * LOW * (HIGH / LOW) ** (k / (steps - 1))
        set_rate(state.optimizer, rate)
        state.begin_pass()
        try:
            for note in step_with_oom_retry(loop.step, state, batch, rehearsal.recipe, rehearsal.plan):
                rehearsal.context.journal.watch(note)
            loop.read_metrics(state, rehearsal.recipe)  # a GPU tells a step's loss only when it is asked
        except NotFinite:
            return rates, losses, f"at {rate:.2g} it was no longer a number"
        state.step += 1
        rates.append(rate)
        losses.append(state.loss_sum / state.seen)
        mean = QUICK * mean + (1 - QUICK) * losses[-1]
        now = mean / (1 - QUICK ** (k + 1))  # at first the mean leans to zero
        first, lowest = first or now, min(lowest, now)
        if now > lowest + max(first - lowest, 0.1 * first):
            return rates, losses, f"at {rate:.2g} all that was gained was lost"
    return rates, losses, f"up to {rates[-1]:.2g} it did not run away"


def judged(rates: list[float], losses: list[float], usual: float, ended: str) -> Range:
    """What the rates and the losses at them suggest.

    Raises:
        TrainingError: too few steps could be taken.
    """
    if len(losses) < 10:
        raise TrainingError(
            f"The loss was lost at a rate of {rates[-1] if rates else usual * LOW:.2g} already: "
            "see `svertka check` for what is wrong with the pictures, or take another network."
        )
    window = np.hanning(2 * min(WIDTH, (len(losses) - 1) // 2) + 3)[1:-1]
    whole = np.convolve(np.ones(len(losses)), window, "same")  # less of it lies over the ends
    smoothed = np.convolve(losses, window, "same") / whole
    bottom = int(np.argmin(smoothed))
    slope = np.gradient(smoothed, np.log(np.asarray(rates)))
    steep = int(np.argmin(slope[: bottom + 1]))
    peak = float(f"{rates[bottom]:.2g}")
    return Range(tuple(rates), tuple(losses), tuple(smoothed.tolist()), rates[bottom], rates[steep], peak, usual, ended)


def drawn(found: Range, name: str) -> bytes:
    """The curve as a PNG: loss against rate, with both rates marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, color="#b8c4d0", linewidth=0.8, label="each step")
    axes.plot(found.rates, found.smoothed, color="#1f5fa8", label="smoothed")
    for rate, line, word in ((found.steepest, "--", "steepest"), (found.peak, "-", "lowest: the peak")):
        axes.axvline(rate, color="#1a7f4b", linestyle=line, linewidth=1, label=f"{word}, {rate:.2g}")
    low, first = min(found.smoothed), found.smoothed[0]
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.set_title(f"Range of rates: {encoded(name).decode()}", parse_math=False)  # a folder may be called a$b$
    axes.set_ylim(max(0.0, low - 0.3 * (first - low)), first + 0.6 * max(first - low, 0.1 * first))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()

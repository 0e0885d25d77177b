"""Learning-rate schedules: pure functions, so that resuming, drawing and testing need no state.

A schedule is a warm-up, a straight line up to the peak over a share of the steps, and a shape for the steps after it.
A shape maps (step, steps) to a factor in 0..1 of the peak; step counts from 0 at the peak.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

Shape = Callable[[int, int], float]

DROP = 0.1  # what a step, or the end of a plateau, leaves of the rate
LEAST = 1e-4  # share by which a loss must be lower to count as lower: noise is no progress


SLOWER = 0.5  # what a rescue leaves of the rate


def constant(step: int, steps: int) -> float:
    """The peak rate throughout.

    >>> constant(7, 10)
    1.0
    """
    return 1.0


def stepwise(step: int, steps: int, drops: int = 3) -> float:
    """Divided by ten at equal distances, as the step schedules of the classic papers (He et al. 2015).

    >>> [round(stepwise(s, 12), 3) for s in (0, 2, 3, 6, 9)]
    [1.0, 1.0, 0.1, 0.01, 0.001]
    """
    return float(DROP ** (step * (drops + 1) // max(1, steps)))


def cosine(step: int, steps: int) -> float:
    """Half a cosine from the peak to zero (Loshchilov and Hutter 2016, arXiv:1608.03983).

    >>> [round(cosine(s, 100), 3) for s in (0, 50, 99)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def linear(step: int, steps: int) -> float:
    """A straight line from the peak down to zero.

    >>> [linear(s, 100) for s in (0, 50, 75)]
    [1.0, 0.5, 0.25]
    """
    return 1 - step / max(1, steps)


class Schedule(NamedTuple):
    """One row: the shape after the warm-up, and the share of all steps that warms up where the recipe names none."""

    shape: Shape
    warmup: float


SCHEDULES = {
    "constant": Schedule(constant, 0.0),
    "step": Schedule(stepwise, 0.0),
    "cosine": Schedule(cosine, 0.05),
    "linear": Schedule(linear, 0.0),
    "onecycle": Schedule(linear, 0.2),  # the one-cycle policy (Smith and Topin 2017, arXiv:1708.07120)
    "plateau": Schedule(constant, 0.0),  # and divided by ten whenever the loss has stopped falling: see `drops`
}


def factor(name: str, step: int, steps: int, warmup: float | None = None) -> float:
    """The share of the peak rate at one step of a schedule, warm-up included.

    >>> [factor("onecycle", s, 100) for s in (9, 19, 20, 60)]
    [0.5, 1.0, 1.0, 0.5]
    """
    schedule = SCHEDULES[name]
    ramp = round((schedule.warmup if warmup is None else warmup) * steps)
    if step < ramp:
        return (step + 1) / ramp
    return schedule.shape(step - ramp, steps - ramp)


def drops(losses: Sequence[float], wait: int) -> int:
    """How often a loss, measured after every pass, has not fallen for `wait` passes in a row.

    >>> drops([3.0, 2.0, 2.0, 2.1, 1.0], wait=2)
    1
    """
    count, idle, lowest = 0, 0, math.inf
    for loss in losses:
        idle = 0 if loss < lowest * (1 - LEAST) else idle + 1
        lowest = min(lowest, loss) if idle == 0 else lowest
        if idle == wait:
            count, idle = count + 1, 0
    return count


def rate_at(
    name: str, peak: float, step: int, steps: int, *,
    warmup: float | None = None, wait: int = 5, losses: Sequence[float] = (), rescues: int = 0,
) -> float:  # fmt: skip
    """The learning rate of one step, a pure function of how far training is and of what was measured so far.

    Args:
        name: of the schedule.
        peak: its highest rate.
        step: from 0.
        steps: of the whole run.
        warmup: share of the steps in which the rate rises to its peak; as is usual where None.
        wait: passes without a lower loss after which `plateau` divides the rate by ten.
        losses: after each finished pass.
        rescues: times that training went back to lower the rate.
    """
    share = factor(name, step, steps, warmup)
    if name == "plateau":
        share *= DROP ** drops(losses, wait)
    return peak * share * SLOWER**rescues

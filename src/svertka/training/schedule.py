"""Learning-rate schedules: pure functions of the step, so that resuming, drawing and testing need no state.

Each maps (step, steps) to a factor in 0..1 of the peak rate; step counts from 0, and steps is the length of the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]


def constant(step: int, steps: int) -> float:
    """The peak rate throughout.

    >>> constant(7, 10)
    1.0
    """
    return 1.0


def stepwise(step: int, steps: int, drops: int = 3, factor: float = 0.1) -> float:
    """Divided by ten at equal distances, as the step schedules of the classic papers (He et al. 2015).

    >>> [round(stepwise(s, 12), 3) for s in (0, 2, 3, 6, 9)]
    [1.0, 1.0, 0.1, 0.01, 0.001]
    """
    return float(factor ** (step * (drops + 1) // max(1, steps)))


def cosine(step: int, steps: int, warmup: float = 0.05) -> float:
    """Half a cosine from the peak to zero after a linear warm-up (Loshchilov and Hutter 2016, arXiv:1608.03983).

    >>> [round(cosine(s, 100, warmup=0.0), 3) for s in (0, 50, 99)]
    [1.0, 0.5, 0.0]
    """
    ramp = round(warmup * steps)
    if step < ramp:
        return (step + 1) / ramp
    return 0.5 * (1 + math.cos(math.pi * (step - ramp) / max(1, steps - ramp)))


def onecycle(step: int, steps: int, warmup: float = 0.2) -> float:
    """A straight line up and one down to zero: the one-cycle policy (Smith and Topin 2017, arXiv:1708.07120).

    >>> [onecycle(s, 100, warmup=0.2) for s in (9, 19, 20, 60)]
    [0.5, 1.0, 1.0, 0.5]
    """
    ramp = max(1, round(warmup * steps))
    if step < ramp:
        return (step + 1) / ramp
    return 1 - (step - ramp) / max(1, steps - ramp)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": stepwise,
    "cosine": cosine,
    "onecycle": onecycle,
}

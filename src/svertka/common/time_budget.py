"""Seconds that a piece of work may still take, and the way in which it stops when they are over.

Long pieces of a report (explanations, changed pictures, simpler answers) share one budget: each gets a part of what is
left, and says afterwards whether it was cut. A network is stopped between two of its passes, by a hook that asks the
clock, so that no method has to know of time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


class OutOfTime(Exception):
    """Raised inside `Budget.over` or by `Budget.check`, and never seen outside the piece that was cut."""


@dataclass(slots=True)
class Budget:
    """`seconds` from now on, None for no limit; `cut` tells that a piece of work did not fit."""

    seconds: float | None = None
    begun: float = field(default_factory=time.perf_counter)
    cut: bool = False

    def left(self) -> float:
        """Seconds; below zero where more was spent."""
        return math.inf if self.seconds is None else self.seconds - self.spent()

    def spent(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.begun

    def part(self, share: float) -> Budget:
        """A share of what is left, from now on."""
        return Budget(None if self.seconds is None else share * max(0.0, self.left()))

    def allows(self, forecast: float) -> bool:
        """Whether so many seconds are left; where they are not, it counts as cut."""
        if forecast > self.left():
            self.cut = True
        return forecast <= self.left()

    def check(self, *_: Any) -> None:
        """Raise OutOfTime where nothing is left."""
        if self.left() <= 0:
            raise OutOfTime

    @contextmanager
    def over(self, net: Any) -> Iterator[None]:
        """The first pass of `net` (a module) that begins when nothing is left ends the block, silently; `cut` tells."""
        handle = net.register_forward_pre_hook(self.check)
        try:
            yield
        except OutOfTime:
            self.cut = True
        finally:
            handle.remove()

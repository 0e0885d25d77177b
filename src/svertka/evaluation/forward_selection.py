"""The choice that `tune` makes, apart from how a network is trained: one augmentation after another, kept if it helps.

Lecture 001: do not switch on all augmentations at once; add one at a time and watch the metric on validation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.evaluation.paired_test import Gain, paired

HOPELESS = 2  # so many seeds without any gain end a trial

# Trains with these settings and this seed; which validation pictures it then gets right: bool (n,)
Attempt = Callable[[dict[str, Any], int], np.ndarray]


@dataclass(frozen=True, slots=True)
class Trial:
    """One augmentation, tried on top of those kept before it."""

    name: str
    value: Any
    gain: Gain
    kept: bool
    seconds: float

    @property
    def setting(self) -> str:
        """As --set takes it."""
        return f"{self.name}=yes" if self.value is True else f"{self.name}={self.value:g}"

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.kept:
            return "kept"
        if self.gain.high < 0:
            return "harms"
        return "no gain" if self.gain.value <= 0 else "within noise"


@dataclass
class Selection:
    """A greedy choice in progress; `run` fills it.

    base      answers without augmentation, bool (seeds, n)
    kept      the settings kept so far
    trials    in the order in which they were made
    untried   names for which there was no time
    together  all that was kept against none, on fresh seeds; None where nothing was kept or no time was left
    """

    attempt: Attempt
    seeds: int
    deadline: float
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        self.base = np.zeros((0, 0), bool)
        self.kept: dict[str, Any] = {}
        self.trials: list[Trial] = []
        self.untried: list[str] = []
        self.together: Gain | None = None

    def run(self, candidates: dict[str, tuple[Any, ...]]) -> Iterator[Trial]:
        """Try the candidates one by one, yielding each trial when it is decided."""
        started = self.clock()
        now = self.base = np.stack([self.attempt({}, seed) for seed in range(self.seeds)])
        cost = (self.clock() - started) / self.seeds  # seconds a training
        for name, strengths in candidates.items():
            for value in strengths:
                reserve = 2 * self.seeds * cost if self.kept else 0.0  # to confirm what was kept
                if self.clock() + HOPELESS * cost + reserve > self.deadline:
                    self.untried.append(name)
                    break
                trial, after = self._try(name, value, now)
                self.trials.append(trial)
                yield trial
                if not trial.kept:
                    break
                self.kept[name], now = value, after
        if self.kept and self.clock() + 2 * self.seeds * cost < self.deadline + cost:
            self.together = self._confirm()

    def _try(self, name: str, value: Any, now: np.ndarray) -> tuple[Trial, np.ndarray]:
        started, rows = self.clock(), []
        for seed in range(self.seeds):
            rows.append(self.attempt({**self.kept, name: value}, seed))
            if len(rows) == HOPELESS and all(row.mean() <= old.mean() for row, old in zip(rows, now, strict=False)):
                break
        after = np.stack(rows)
        gain = paired(now[: len(after)], after)
        kept = len(after) == self.seeds and gain.low > 0
        return Trial(name, value, gain, kept, self.clock() - started), after

    def _confirm(self) -> Gain:
        """A gain that was selected for being large is too large on the seeds that selected it; so others judge it."""
        fresh: Sequence[int] = range(self.seeds, 2 * self.seeds)
        before, after = (np.stack([self.attempt(s, seed) for seed in fresh]) for s in ({}, self.kept))
        return paired(before, after)

"""Many small pieces of work in several streams of one thread each, or large ones by all threads: whichever is quicker.

A network's activations for a few pictures fit into a core's own cache, those for many do not; and cores that work on
pieces of their own need not wait for each other after every layer. With few large pieces the weights are read less
often. Which is quicker is measured once for each network and machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from svertka.hardware.autotune import fastest, keep, recall

T = TypeVar("T")
TURNS = 2  # the first one still lays out weights and picks kernels
SHARE = 1 / 3  # of the work that measuring may take, at most
ROUNDS = 4  # pieces that each stream is given at once


@dataclass(frozen=True, slots=True)
class Way:
    """How to go through the work: `piece` items at once, in `streams` threads."""

    piece: int
    streams: int

    def __str__(self) -> str:
        return f"{self.piece} at a time" + (f" in each of {self.streams} streams" if self.streams > 1 else "")


def ways(device: str) -> tuple[Way, ...]:
    """What to try on a device, the likeliest first."""
    if device != "cpu":
        return (Way(256, 1),)
    return (Way(8, torch.get_num_threads()), Way(32, 1))


class Streams:
    """Goes through work piece by piece, in order, by the quickest of several ways.

    Args:
        key: names network and machine where the choice is kept.
        choices: the ways, the likeliest first.

    Attributes:
        measured: seconds an item by each way that was tried.
        chosen: the way that is taken, None until it is known.
    """

    def __init__(self, key: str, choices: Sequence[Way]) -> None:
        self.key, self.choices = key, tuple(choices)
        kept = recall(key) or {}
        self.measured: dict[str, float] = dict(kept.get("measured", {}))
        only = self.choices[0] if len(self.choices) == 1 else None
        self.chosen = {str(way): way for way in self.choices}.get(kept.get("chosen", ""), only)

    def run(self, work: Callable[[slice], T], total: int) -> Iterator[tuple[slice, T]]:
        """Yield (which, work(which)) for consecutive slices of 0..total; `work` is called in several threads."""
        if self.chosen is None and TURNS * sum(way.piece * way.streams for way in self.choices) <= SHARE * total:
            self.chosen = fastest(self.choices, lambda way: _seconds_each(work, way), self.measured)
            keep(self.key, {"chosen": str(self.chosen), "measured": self.measured})
        yield from _through(work, total, self.chosen or self.choices[0])


def _seconds_each(work: Callable[[slice], object], way: Way) -> float:
    items, seconds = way.piece * way.streams, 0.0
    for _ in range(TURNS):
        start = time.perf_counter()
        for _ in _through(work, items, way):
            pass
        seconds = time.perf_counter() - start
    return seconds / items


def _through(work: Callable[[slice], T], total: int, way: Way) -> Iterator[tuple[slice, T]]:
    pieces = [slice(first, min(total, first + way.piece)) for first in range(0, total, way.piece)]
    if way.streams == 1:
        yield from ((piece, work(piece)) for piece in pieces)
        return
    with _pool(way) as pool:
        for first in range(0, len(pieces), ROUNDS * way.streams):
            some = pieces[first : first + ROUNDS * way.streams]
            yield from zip(some, list(pool.map(work, some)), strict=True)


@contextlib.contextmanager
def _pool(way: Way) -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute alone; PyTorch's number of threads, which they set for all, is put back."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(way.streams, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)

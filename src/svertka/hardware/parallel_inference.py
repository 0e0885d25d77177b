"""Many small pieces of work in several streams of one thread each, or large ones by all threads: whichever is quicker.

A network's activations for a few pictures fit into a core's own cache, those for many do not; and cores that work on
pieces of their own need not wait for each other after every layer. With few large pieces the weights are read less
often. Which is quicker is measured on the first pieces of the real work, so that nothing is computed twice, and kept.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch

from svertka.common.atomic_write import write_bytes

T = TypeVar("T")
SWITCH = 1.1  # a way must be this much quicker than the first to be taken: noise must not decide


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
        kept: a file that remembers the choice, one for each network and machine.
        choices: the ways, the likeliest first.

    Attributes:
        measured: seconds an item by each way that was tried.
        chosen: the way that is taken, None until it is known.
    """

    def __init__(self, kept: Path, choices: Sequence[Way]) -> None:
        self.kept, self.choices = kept, tuple(choices)
        self.measured: dict[str, float] = {}
        self.chosen: Way | None = self.choices[0] if len(self.choices) == 1 else None
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # never measured here: now
            told = json.loads(kept.read_text(encoding="utf-8"))
            way = Way(**told["way"])
            if way in self.choices:
                self.chosen, self.measured = way, dict(told["measured"])

    def run(self, work: Callable[[slice], T], total: int) -> Iterator[tuple[slice, T]]:
        """Yield (which, work(which)) for consecutive slices of 0..total; `work` is called in several threads."""
        with contextlib.ExitStack() as stack:
            pools = {way: stack.enter_context(_pool(way)) for way in self.choices if way.streams > 1}
            turns = [way for _ in range(2) for way in self.choices] if self.chosen is None else []
            first = 0
            while first < total:
                way = turns.pop(0) if turns else (self.chosen or self.choices[0])
                last = min(total, first + way.piece * way.streams * (1 if turns else 4))
                pieces = [slice(k, min(last, k + way.piece)) for k in range(first, last, way.piece)]
                begun = time.perf_counter()
                done = list(pools[way].map(work, pieces)) if way.streams > 1 else [work(one) for one in pieces]
                if self.chosen is None:
                    # the last turn counts: the first one still lays out weights and picks kernels
                    self.measured[str(way)] = (time.perf_counter() - begun) / (last - first)
                    if not turns:
                        self._choose()
                yield from zip(pieces, done, strict=True)
                first = last

    def _choose(self) -> None:
        if len(self.measured) < len(self.choices):
            return  # too little work to tell
        times = [self.measured[str(way)] for way in self.choices]
        best = min(range(len(times)), key=times.__getitem__)
        self.chosen = self.choices[best if times[0] > SWITCH * times[best] else 0]
        with contextlib.suppress(OSError):  # a cache that cannot be written: measured again next time
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.kept, json.dumps({"way": asdict(self.chosen), "measured": self.measured}).encode())


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

"""What processes say to each other while a batch passes: one that has to stop still says the rest of its part.

Forwards and backwards each waits for numbers of all others: those of batch norms, and the gradients, which
DistributedDataParallel sends off in buckets while the backward pass goes on. One that runs out of memory in between
would leave the others waiting. But what it has not said yet is of the same kinds and sizes, in the same order, as in
the step before: so it says zeros until the others are through. They hear of it at the end of the step, which nobody
takes then (processes.py, pieces.py).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.futures import Future

ROWS, SUM, GRADIENTS = "rows of all", "sum", "gradients"


class Said(NamedTuple):
    """One exchange: of so many numbers of this type on this device."""

    kind: str
    numbers: int
    dtype: torch.dtype
    device: torch.device


class Exchanges:
    """All exchanges within a step; each process has the same ones in the same order.

    Attributes:
        fresh: no step has been taken yet with the DistributedDataParallel at hand, which sorts its buckets after one.
    """

    def __init__(self) -> None:
        self.fresh = True
        self._said: list[Said] = []  # in the piece of a batch that is under way
        self._known: dict[bool, list[Said]] = {}  # in the last piece of a step, fresh or not

    def rows(self, mine: Tensor) -> Tensor:
        """Numbers (n,) of this process -> those of all, (processes, n)."""
        rows = mine.new_empty(dist.get_world_size(), len(mine))
        dist.all_gather(list(rows), mine)
        self._note(ROWS, mine)
        return rows

    def sum(self, numbers: Tensor) -> None:
        """Add those of all processes up, in place."""
        dist.all_reduce(numbers)
        self._note(SUM, numbers)

    def mean(self, gradients: Tensor) -> Future[Tensor]:
        """A bucket of gradients on its way to the mean over processes, in place, as DistributedDataParallel has it."""
        gradients.mul_(1 / dist.get_world_size())
        work = dist.all_reduce(gradients, async_op=True)
        self._note(GRADIENTS, gradients)
        arrived: Future[Tensor] = work.get_future().then(lambda done: done.value()[0])
        return arrived

    def end(self, last: bool) -> None:
        """A piece is through; with the `last` of a step went the gradients."""
        if last:
            self._known.setdefault(self.fresh, self._said)
            self.fresh = False
        self._said = []

    def finish(self, pieces: int) -> None:
        """Say zeros for the rest of the piece under way, and for all of those after it.

        Args:
            pieces: so many are left, with the one under way.

        Raises:
            MemoryError: what is left to say is not known yet, in the first steps of a process.
        """
        whole = self._known.get(self.fresh)
        if whole is None:
            raise MemoryError("what the others wait for is not known yet")
        quiet, waiting = [one for one in whole if one.kind != GRADIENTS], []
        for left in reversed(range(pieces)):
            for kind, numbers, dtype, device in (quiet if left else whole)[len(self._said) :]:
                zeros = torch.zeros(numbers, dtype=dtype, device=device)
                if kind == GRADIENTS:
                    waiting.append(self.mean(zeros))
                else:
                    (self.rows if kind == ROWS else self.sum)(zeros)
            self.end(last=not left)
        for bucket in waiting:
            bucket.wait()

    def _note(self, kind: str, numbers: Tensor) -> None:
        self._said.append(Said(kind, numbers.numel(), numbers.dtype, numbers.device))

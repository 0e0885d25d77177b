"""A batch that does not fit into memory at once is computed in pieces, whose gradients add up to its own.

Without batch norm the step is that of the whole batch, up to the order in which floats are summed. With batch norm each
piece is normalized by its own statistics, as on several devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from svertka.data.loading.loader import Batch
from svertka.errors import TrainingError
from svertka.records import Note
from svertka.training.distributed.process_group import Short
from svertka.training.state import State

LEAST = 2  # pictures in a piece: batch norm needs two to measure a spread
WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def pieces(batch: Batch, count: int, class_weights: Tensor | None = None) -> Iterator[tuple[Batch, float]]:
    """The batch in `count` pieces of nearly equal size, each with its share of the batch's mean loss.

    The mean over a batch is that of pieces weighted by these shares; where classes weigh differently, a piece counts as
    much as the weights in it, because that is what the mean divides by.
    """
    count = max(1, min(count, len(batch.y) // LEAST))
    if count == 1:
        yield batch, 1.0
        return
    weighted = class_weights is not None and batch.y.ndim == 1
    weights = class_weights[batch.y] if weighted else torch.ones(len(batch.y))  # type: ignore[index]
    whole = weights.sum()
    parts = zip(*(t.tensor_split(count) for t in (*batch, weights)), strict=True)
    for x, y, index, weight in parts:
        yield Batch(x, y, index), (weight.sum() / whole).item()


def within_memory(step: Callable[..., None], state: State, batch: Batch, *how: Any) -> Iterator[Note]:
    """Take a step; where memory is not enough, take it again in twice as many pieces, and say so.

    Raises:
        TrainingError: not even the smallest pieces fit, or several processes cannot agree on smaller ones any more.
    """
    group, pictures, most = state.group, len(batch.y), len(batch.y) // LEAST
    while True:
        try:
            return step(state, batch, *how)
        except (MemoryError, RuntimeError) as why:
            if not of_memory(why):
                raise
            agreed = isinstance(why, Short)
        # outside of `except`: the error holds on to what the step had computed
        state.optimizer.zero_grad(set_to_none=True)
        if agreed:
            _, seen = group.short_of_memory(True, len(batch.y))
            pictures, most = -(-seen // group.world.size), group.most_pieces(seen)
        elif not group.world.alone:  # the others are in the middle of this step, or past it
            raise TrainingError(
                f"Memory is not enough for {pictures} pictures in one of {group.world.size} processes: a smaller batch "
                "(--set batch_size=N), or batches in pieces (--set accumulate=N), would fit."
                + (" `svertka train --resume RUN` goes on from the last checkpoint." if state.history else "")
            )
        note = halve(state, pictures, most)
        free_cached()
        if agreed:
            group.take(state.net, str(batch.x.device))
        yield note


def halve(state: State, pictures: int, most: int) -> Note:
    """From here on compute batches, or shares of them, of so many pictures in twice as many pieces; says so.

    Raises:
        TrainingError: that would be more than the `most` they can be cut into.
    """
    if 2 * state.pieces > most:
        size = -(-pictures // state.pieces)
        raise TrainingError(
            f"Memory is not enough even for {size} pictures at once: smaller pictures (--size) or a smaller "
            "network (--net) would fit."
        )
    state.pieces *= 2
    return Note(
        f"Memory was not enough for {pictures} pictures at once: from step {state.step + 1} on each batch is "
        f"computed in {state.pieces} pieces, whose gradients are summed."
    )


def free_cached() -> None:
    """Give back what PyTorch keeps of a GPU's memory for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def of_memory(why: BaseException) -> bool:
    """Whether an error says that memory has run out, on whatever device."""
    if isinstance(why, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(why).lower() for words in WORDS)

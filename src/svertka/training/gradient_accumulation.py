"""A batch that does not fit into memory at once is computed in pieces, whose gradients add up to its own.

Without batch norm the step is that of the whole batch, up to the order in which floats are summed. With batch norm each
piece is normalized by its own statistics, as on several devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from svertka.common.messages import message
from svertka.data.loading.loader import Batch
from svertka.errors import TrainingError
from svertka.records import Note
from svertka.training.state import State

LEAST = 2  # pictures in a piece: batch norm needs two to measure a spread
WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def pieces_that_fit(pictures: int) -> int:
    """Into how many pieces that many pictures may be cut at most."""
    return max(1, pictures // LEAST)


def pieces(batch: Batch, count: int, class_weights: Tensor | None = None) -> Iterator[tuple[Batch, float]]:
    """The batch in `count` pieces of nearly equal size, each with its share of the batch's mean loss.

    The mean over a batch is that of pieces weighted by these shares; where classes weigh differently, a piece counts as
    much as the weights in it, because that is what the mean divides by.
    """
    if count == 1:
        yield batch, 1.0
        return
    weighted = class_weights is not None and batch.y.ndim == 1
    weights = class_weights[batch.y] if weighted else torch.ones(len(batch.y))  # type: ignore[index]
    whole = weights.sum()
    for x, y, index, weight in zip(*(t.tensor_split(count) for t in (*batch, weights)), strict=True):
        yield Batch(x, y, index), (weight.sum() / whole).item()


def step_with_oom_retry(step: Callable[..., None], state: State, batch: Batch, *how: Any) -> Iterator[Note]:
    """Take a step; where memory is not enough, take it again in twice as many pieces, and say so.

    Raises:
        TrainingError: not even the smallest pieces fit; or one of several processes is short of memory, since the
            others are in the middle of this step.
    """
    while True:
        try:
            return step(state, batch, *how)
        except (MemoryError, RuntimeError) as why:
            if not is_out_of_memory(why):
                raise
        # outside of `except`: the error holds on to what the step had computed
        state.optimizer.zero_grad(set_to_none=True)
        _double_pieces(state, len(batch.y))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        yield Note(
            message(
                "memory-short",
                "Memory was not enough for {n} pictures at once: from step {step} on each batch is computed in "
                "{pieces} pieces, whose gradients are summed.",
                n=len(batch.y),
                step=str(state.step + 1),
                pieces=state.pieces,
            )
        )


def _double_pieces(state: State, pictures: int) -> None:
    size = state.group.world.size
    if size > 1:
        raise TrainingError(
            f"Memory is not enough for {pictures} pictures in one of {size} processes: a smaller batch "
            "(--set batch_size=N), or batches in pieces (--set accumulate=N), would fit."
            + (" `svertka train --resume RUN` goes on from the last checkpoint." if state.history else "")
        )
    if 2 * state.pieces > pieces_that_fit(pictures):
        raise TrainingError(
            f"Memory is not enough even for {-(-pictures // state.pieces)} pictures at once: smaller pictures (--size) "
            "or a smaller network (--net) would fit."
        )
    state.pieces *= 2


def is_out_of_memory(why: BaseException) -> bool:
    """Whether an error says that memory has run out, on whatever device."""
    if isinstance(why, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(why).lower() for words in WORDS)

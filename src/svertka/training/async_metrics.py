"""What a step on a GPU has found, read one step later: the processor prepares the next step while the GPU computes.

Reading a number of the GPU's waits for all that the GPU was given before, and then the GPU waits for the processor. So
a step's loss and right answers are sent off, and are read when the next step has been handed over: by then they are
there. A loss that is not finite is therefore noticed one step late, when the weights are spoilt; training goes back to
the best ones anyway (divergence.py). Before a record is
yielded everything is read, so that the state is whole between two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from svertka.data.loading.loader import Batch
from svertka.training import divergence
from svertka.training.recipe import Recipe
from svertka.training.state import State, Unread


def put_aside(state: State, loss: Tensor, right: Tensor, batch: Batch, number: int, recipe: Recipe) -> None:
    """Send a step's numbers off, and read those of the step before.

    Raises:
        NotFinite: the loss of the step before is not a number.
    """
    read(state, recipe)
    numbers = torch.stack([loss.double(), right.double()])  # (2,)
    arrived = None
    if numbers.is_cuda:
        numbers = numbers.to("cpu", non_blocking=True)  # into pinned memory
        arrived = torch.cuda.Event()
        arrived.record()
    left = Batch(numbers[:0], numbers[:0], batch.index)  # the pictures themselves may go
    state.unread = Unread(numbers, arrived, left, len(batch.y), state.step, number)


def read(state: State, recipe: Recipe) -> None:
    """Count what was put aside.

    Raises:
        NotFinite: its loss is not a number.
    """
    if state.unread is None:
        return
    found, state.unread = state.unread, None
    if found.arrived is not None:
        found.arrived.synchronize()
    loss, right = found.numbers.tolist()
    divergence.refuse_unless_finite(loss, found.batch, found.step, found.number, recipe, learned=True)
    state.count(loss, round(right), found.seen)

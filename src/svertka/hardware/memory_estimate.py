"""How much memory a training step takes, told from one small forward pass, before a step of full size is tried.

What the backward pass needs is counted where autograd puts it aside: it grows with the batch. What the network and its
optimizer hold does not.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svertka.hardware.plan import Plan

FEW = 2  # pictures that are tried; batch norm needs two
COPIES = 5  # of the weights: themselves, their gradients, the optimizer's state, the average, the best so far
SHARE = 0.8  # of the memory that is free may be planned with
MEBI = 2**20


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that training takes: `fixed` whatever the batch, `each` for every picture of it."""

    fixed: int
    each: int

    def of(self, batch: int) -> int:
        """Bytes for a batch."""
        return self.fixed + batch * self.each

    def pieces(self, batch: int, free: int | None) -> int:
        """The fewest parts, a power of two, into which a batch must be cut so that one part fits into `free` bytes."""
        pieces = 1
        while free is not None and self.of(-(-batch // pieces)) > SHARE * free and batch // (2 * pieces) >= FEW:
            pieces *= 2
        return pieces


def footprint(net: nn.Module, plan: Plan, shape: tuple[int, ...]) -> Footprint:
    """What a step of `net` takes on pictures of `shape` (b, c, h, w); the network is left as it was."""
    trial = copy.deepcopy(net).to(plan.device, memory_format=plan.memory_format).train()  # type: ignore[call-overload]
    weights = sum(t.nbytes for t in trial.state_dict().values())
    own = {t.untyped_storage().data_ptr() for t in trial.parameters()}
    kept: dict[int, int] = {}  # storage -> bytes: what several operations keep is there once
    held: list[Tensor] = []  # alive until the count is done, so that no place is given out twice
    largest = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal largest
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            largest = max(largest, storage.nbytes())
            held.append(tensor)
        return tensor

    x = plan.laid(torch.rand((FEW, *shape[1:]), device=plan.device))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), plan.autocast():
        trial.outputs(x)
    each = (sum(kept.values()) + 2 * largest) // FEW  # and, while stepping back, a gradient and what it is made from
    return Footprint(COPIES * weights, each)

"""Whether a share of a batch fits into memory, found out by each of several processes before they step together.

A process that runs out of memory in the middle of one of its first steps leaves the others waiting: nobody knows yet
what it would have said (exchanges.py). So before these steps, each passes the largest piece of its share forwards and
backwards by itself; then all hear whether any of them failed, and all cut their shares into twice as many pieces. The
second step is tried as well: the optimizer has its own memory by then. What runs out later, they hear at the end of the
step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from svertka.data.loading.loader import Batch
from svertka.hardware.plan import Plan
from svertka.records import Note
from svertka.training.distributed.sync_batch_norm import apart, together
from svertka.training.gradient_accumulation import free_cached, halve, of_memory, pieces
from svertka.training.state import STEPS_TRIED, State


def try_together(state: State, batch: Batch, plan: Plan) -> Iterator[Note]:
    """Before a step of several processes: cut their shares into twice as many pieces until each of them fits.

    Raises:
        TrainingError: not even the smallest pieces fit.
    """
    group, size = state.group, math.prod(batch.x.shape[1:])
    if size > state.tried:  # pictures have grown (progressive.py): what fitted says nothing of these
        state.tried, state.untried = size, STEPS_TRIED
    while not group.world.alone and state.untried:
        short, seen = group.short_of_memory(not fits(state, batch, plan), len(batch.y))
        if short:
            yield halve(state, -(-seen // group.world.size), group.most_pieces(seen))
            state.untried = STEPS_TRIED
        else:
            state.untried -= 1
            return


def fits(state: State, batch: Batch, plan: Plan) -> bool:
    """Whether this process's share passes, piece by piece; network, gradients and statistics stay as they are."""
    if not len(batch.y):
        return True
    piece, _ = next(pieces(batch, state.pieces))
    net, learn = state.net, [p for p in state.net.parameters() if p.requires_grad]
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    apart(net)  # norms that measure by themselves: the others may be elsewhere
    try:
        with plan.precisely():
            loss = torch.stack([F.cross_entropy(logits, piece.y) for logits in net.outputs(piece.x)]).sum()
        torch.autograd.grad(loss, learn)  # which nobody hears of, unlike `backward`
        return True
    except (MemoryError, RuntimeError) as why:
        if not of_memory(why):
            raise
    finally:
        together(net, state.group.exchanges)
        with torch.no_grad():
            for name, buffer in net.named_buffers():
                buffer.copy_(before[name])
    free_cached()
    return False

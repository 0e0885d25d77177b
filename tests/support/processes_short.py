"""What test_processes.py runs under torchrun: memory runs out in the middle of a step, and all take it in pieces."""

import sys

import numpy as np
import torch
import torch.distributed as dist
from striped import PREPROCESS, RECIPE, striped
from torch import nn

from svertka import zoo
from svertka.data.loading.loader import Loader
from svertka.hardware.plan import Plan
from svertka.records import Note
from svertka.training import loop
from svertka.training.distributed import sync_batch_norm
from svertka.training.distributed.process_group import joined
from svertka.training.distributed.torchrun import world

MOST = 2  # pictures that fit at once
BEFORE = 3  # steps that fit


class Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, dy):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")


class Shortage(nn.Module):
    """A layer that has no memory for more than MOST pictures, in one direction, once it has been passed so often."""

    def __init__(self, where, passes):
        super().__init__()
        self.where, self.left = where, passes

    def forward(self, x):
        self.left -= self.training
        if self.left >= 0 or len(x) <= MOST or not self.training:
            return x
        if self.where == "backward":
            return Refused.apply(x)
        raise MemoryError


def learned(group, shortage=None, pieces=1, then=None):
    """-> (all numbers after two passes of four steps, notes); `then` so many pieces after BEFORE steps."""
    torch.manual_seed(0)
    net = zoo.make("medium", PREPROCESS.shape, 2)  # of several buckets of gradients, and norms behind the first stage
    if shortage is not None:
        net.stages.insert(1, shortage)
    recipe = RECIPE.replace(epochs=2, batch_size=16, accumulate=pieces)
    pixels, labels = striped(64)
    here = {"rank": group.world.rank, "size": group.world.size}
    train = Loader(pixels, labels, np.arange(64), PREPROCESS, batch=16, seed=0, full=True, **here)
    state, notes = loop.begin(net, recipe, Plan(), group), []
    for record in loop.fit(state, train, None, recipe, Plan()):
        if isinstance(record, Note):
            notes.append(record.text)
        if state.step == BEFORE and then is not None:
            state.pieces = then
    sync_batch_norm.apart(net)
    assert state.seen == 0
    counts = torch.tensor([state.step, *state.history[0], *state.history[1]], dtype=torch.float64)
    return torch.cat([counts, *(t.flatten().double() for t in net.state_dict().values())]), notes


def main():
    here = world()
    with joined(here, "cpu", nn.Identity()) as group:
        wanted, _ = learned(group, then=4)
        tries = 2  # before the first two steps, one piece of each
        cases = [  # of each process: where memory is short, and after how many passes
            (1, None, ("forward", BEFORE + tries)),
            (1, None, ("backward", BEFORE + tries)),
            (1, ("forward", BEFORE + tries), ("backward", BEFORE + tries)),
        ]
        for pieces, *shortages in cases:
            which = shortages[here.rank]
            found, notes = learned(group, which and Shortage(*which), pieces)
            assert [n.split(": ")[1] for n in notes] == [
                f"from step {BEFORE + 1} on each batch is computed in {n} pieces, whose gradients are summed."
                for n in (2, 4)
            ]
            assert torch.equal(found, wanted), which
            everyone = found.new_empty(here.size, len(found))
            dist.all_gather(list(everyone), found)
            assert torch.equal(everyone[0], everyone[1])
        for done in (0, 1):  # in the first or the second of two pieces
            wanted, _ = learned(group, pieces=2, then=4)
            passes = 2 * BEFORE + tries + done
            found, notes = learned(group, Shortage("backward", passes) if here.rank else None, 2)
            assert len(notes) == 1
            assert torch.equal(found, wanted), done
    sys.stdout.write("agreed\n")


if __name__ == "__main__":
    main()

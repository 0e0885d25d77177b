"""What test_processes.py runs under torchrun: batch norm and losses over processes, against one process."""

import sys

import torch
import torch.nn.functional as F
from torch import nn

from svertka import zoo
from svertka.common.counter_rng import mix
from svertka.training.distributed import sync_batch_norm
from svertka.training.distributed.collectives import Exchanges
from svertka.training.distributed.process_group import gathered, joined
from svertka.training.distributed.torchrun import world

SHARES = ((4, 3, 3), (5, 2, 0), (1, 1, 1))  # pictures of each of three processes


def norm_is_that_of_the_whole_batch(rank):
    for kind, size in ((nn.BatchNorm1d, ()), (nn.BatchNorm1d, (6,)), (nn.BatchNorm2d, (4, 5))):
        for momentum, affine in ((0.1, True), (None, False)):
            for shares in SHARES:
                torch.manual_seed(mix(*shares))
                whole = kind(3, momentum=momentum, affine=affine)
                if affine:
                    nn.init.normal_(whole.weight)
                    nn.init.normal_(whole.bias)
                own = nn.Sequential(kind(3, momentum=momentum, affine=affine))
                own[0].load_state_dict(whole.state_dict())
                together = sync_batch_norm.together(own, Exchanges())
                x = (torch.randn(sum(shares), 3, *size) * 3 + 100).requires_grad_()
                mine = x.detach().split(shares)[rank].requires_grad_()
                for _ in range(2):
                    there, here = whole(x), own(mine)
                    for norm in together:
                        norm.settle()
                torch.testing.assert_close(here, there.split(shares)[rank], rtol=1e-4, atol=1e-4)
                there.sin().sum().backward()
                here.sin().sum().backward()
                torch.testing.assert_close(mine.grad, x.grad.split(shares)[rank], rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(own[0].state_dict(), whole.state_dict(), rtol=1e-4, atol=1e-4)
                if affine:
                    sums = torch.stack([own[0].weight.grad, own[0].bias.grad])
                    torch.distributed.all_reduce(sums)
                    torch.testing.assert_close(
                        sums, torch.stack([whole.weight.grad, whole.bias.grad]), rtol=1e-3, atol=1e-3
                    )
                torch.testing.assert_close(own.eval()(x), whole.eval()(x))
                sync_batch_norm.apart(own)
                assert type(own[0]) is kind


def gradients_are_those_of_the_whole_batch(group, rank):
    for shares in SHARES[:2]:
        for weights in (None, torch.tensor([0.2, 1.0, 3.0])):
            torch.manual_seed(5)
            whole, own = (zoo.make("small", (1, 8, 8), 3) for _ in range(2))
            own.load_state_dict(whole.state_dict())
            group.take(own, "cpu")
            x, y = torch.randn(sum(shares), 1, 8, 8), torch.arange(sum(shares)) % 3
            mine, right = x.split(shares)[rank], y.split(shares)[rank]
            loss = F.cross_entropy(whole(x), y, weights, label_smoothing=0.1)
            loss.backward()
            share, seen = group.share(right, weights)
            (logits,) = group.parallel(mine)
            part = F.cross_entropy(logits, right, weights, label_smoothing=0.1) if len(right) else logits.sum()
            (part * share).backward()
            value, count = group.total(share * part.item(), len(right))
            assert (seen, count) == (sum(shares), sum(shares))
            assert abs(value - loss.item()) < 1e-5
            for a, b in zip(own.parameters(), whole.parameters(), strict=True):
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)


def main():
    here = world()
    with joined(here, "cpu", nn.Identity()) as group:
        norm_is_that_of_the_whole_batch(here.rank)
        gradients_are_those_of_the_whole_batch(group, here.rank)
        for total in (1, 2, 7, 9):
            rows = torch.arange(2 * total).view(total, 2)
            assert torch.equal(gathered(rows.tensor_split(here.size)[here.rank], total, here.size), rows)
        group.wish = lambda: here.rank == 1
        group.total(0.0, 0)
        assert group.stopping
        assert group.passes(7 + here.rank) == 7
    sys.stdout.write("agreed\n")


if __name__ == "__main__":
    main()

"""What test_distributed.py runs under torchrun: gradients, losses and wishes of several processes, against one."""

import sys

import torch
import torch.nn.functional as F
from torch import nn

from svertka import zoo
from svertka.common.torchrun import world
from svertka.training.distributed import from_main, gathered, joined

SHARES = ((4, 3, 3), (5, 2, 1), (1, 1, 1))  # pictures of each of three processes
NET = "conv3-4 relu maxpool2 flatten fc"


def gradients_are_those_of_the_whole_batch(group, rank):
    for shares in SHARES:
        for weights in (None, torch.tensor([0.2, 1.0, 3.0])):
            torch.manual_seed(5)
            whole, own = (zoo.make(NET, (1, 8, 8), 3) for _ in range(2))
            own.load_state_dict(whole.state_dict())
            group.wrap(own, "cpu")
            assert not group.separate_norms
            x, y = torch.randn(sum(shares), 1, 8, 8), torch.arange(sum(shares)) % 3
            mine, right = x.split(shares)[rank], y.split(shares)[rank]
            loss = F.cross_entropy(whole(x), y, weights, label_smoothing=0.1)
            loss.backward()
            share, seen = group.share(right, weights)
            (logits,) = group.parallel(mine)
            part = F.cross_entropy(logits, right, weights, label_smoothing=0.1)
            (part * share).backward()
            value, count = group.sum(share * part.item(), len(right))
            assert (seen, count) == (sum(shares), sum(shares))
            assert abs(value / 3 - loss.item()) < 1e-5
            for a, b in zip(own.parameters(), whole.parameters(), strict=True):
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)


def statistics_are_those_of_the_first(group, rank):
    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2).eval())
    net.outputs = net.forward
    group.wrap(net, "cpu")
    assert group.separate_norms
    net[0].running_mean.fill_(rank)
    group.same_statistics(net)
    assert net[0].running_mean.tolist() == [0.0, 0.0]


def main():
    here, net = world(), nn.Linear(2, 2)
    nn.init.constant_(net.weight, here.rank)
    with joined(here, "cpu", net) as group:
        assert net.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]
        gradients_are_those_of_the_whole_batch(group, here.rank)
        statistics_are_those_of_the_first(group, here.rank)
        for total in (1, 2, 7, 9):
            rows = torch.arange(2 * total).view(total, 2)
            assert torch.equal(gathered(rows.tensor_split(here.size)[here.rank], here.size), rows)
        assert not group.agree(False)
        assert group.agree(here.rank == 2)
        assert not group.stopping
        group.stop_requested = lambda: here.rank == 1
        assert group.agree(False)
        assert group.stopping
        assert group.from_main(7 + here.rank) == from_main(b"7"[0] - 48 + here.rank) == 7
    sys.stdout.write("agreed\n")


if __name__ == "__main__":
    main()

"""CIFAR-10 on a GPU as fast as is published: the method of airbench94, written anew from its paper.

Keller Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498, sections 3.1 to 3.6, table 1:
pictures resident on the device; a measured whitening layer whose bias learns for three passes; three blocks of two
convolutions, begun as near identities; norms without scales; Nesterov SGD with a triangular rate, 64 times higher for
the norms' biases; label smoothing; a running average that looks ahead; mirroring that alternates; crops of a padded
picture; test pictures seen mirrored and shifted. Half precision on a GPU, float32 elsewhere.

The clock of "training" begins, as the paper's, when pictures lie on the device and one step of a network that is thrown
away has warmed it up. One JSON line is printed at the end: {"accuracy", "evaluating", "training", "epochs"}.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from plain_cifar import MEAN, STD, pictures
from torch import Tensor, nn

WIDTHS = (64, 256, 256)
RATE, MOMENTUM, DECAY, BIAS_RATE = 11.5, 0.85, 0.0153, 64.0  # of 1024 pictures whose gradients all directions share
START, PEAK, END = 0.2, 0.23, 0.07  # of the rate: its first share, when it is highest, its last share
SMOOTHING, SHIFT = 0.2, 2
BIAS_PASSES = 3  # in which the whitening layer's bias learns
MEASURED = 5000  # pictures that the whitening layer is measured on
LOGITS = 1 / 9
EVERY, KEEP = 5, 0.95  # steps between two looks ahead; what the average keeps of itself in a step, at the end


class Norm(nn.BatchNorm2d):
    """Batch norm that learns a bias and no scale."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)


def convolution(channels: int, filters: int) -> nn.Conv2d:
    """3x3, without bias; the first filters hand their channel on."""
    made = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    nn.init.dirac_(made.weight.data[: min(channels, filters)])
    return made


def block(channels: int, filters: int) -> nn.Sequential:
    """(n, channels, h, w) -> (n, filters, h / 2, w / 2)."""
    return nn.Sequential(
        convolution(channels, filters), nn.MaxPool2d(2), Norm(filters), nn.GELU(),
        convolution(filters, filters), Norm(filters), nn.GELU(),
    )  # fmt: skip


class Network(nn.Module):
    """(n, 3, 32, 32) -> (n, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.white = nn.Conv2d(3, 24, 2)  # (n, 24, 31, 31)
        self.white.weight.requires_grad_(False)
        nn.init.zeros_(self.white.bias)
        pairs = itertools.pairwise((24, *WIDTHS))
        self.body = nn.Sequential(nn.GELU(), *(block(*pair) for pair in pairs), nn.MaxPool2d(3), nn.Flatten())
        self.last = nn.Linear(WIDTHS[-1], classes, bias=False)

    @torch.no_grad()
    def measure(self, x: Tensor) -> None:
        """Filters are the principal directions of 2x2 patches at unit variance, and their negatives."""
        patches = F.unfold(x.float(), 2).transpose(1, 2).flatten(0, 1)  # (m, 12)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (directions / (variances + 5e-4).sqrt()).T.flip(0).view(12, 3, 2, 2)
        self.white.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.body(self.white(x)))
        return logits * LOGITS


def network(classes: int, device: str) -> Network:
    """Half precision on a GPU, but for the norms."""
    made = Network(classes).to(device, memory_format=torch.channels_last)
    if device.startswith("cuda"):
        made.half()
        for part in made.modules():
            if isinstance(part, Norm):
                part.float()
    return made


def normalized(x: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 (n, 3, 32, 32) as the network takes it."""
    mean, std = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((x.to(dtype) / 255 - mean.to(dtype)) / std.to(dtype)).contiguous(memory_format=torch.channels_last)


class Batches:
    """Passes over pictures on the device: half of them mirrored, the other half in the next pass; cropped at random."""

    def __init__(self, x: Tensor, y: Tensor, batch: int) -> None:
        self.y, self.batch, self.number, (n, _, self.side, _) = y, min(batch, len(x)), 0, x.shape
        self.mirrored = torch.rand(n, device=x.device) < 0.5
        self.padded = F.pad(x, (SHIFT,) * 4, mode="reflect")

    def __len__(self) -> int:
        return len(self.y) // self.batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.y.device
        mirror = self.mirrored ^ bool(self.number % 2)
        self.number += 1
        order = torch.randperm(len(self.y), device=device)
        shifts = torch.randint(2 * SHIFT + 1, (2, len(order)), device=device)
        line = torch.arange(self.side, device=device)
        for k in range(len(self)):
            rows = order[k * self.batch : (k + 1) * self.batch]
            down, right = shifts[0, rows, None] + line, shifts[1, rows, None] + line  # (b, side)
            right = torch.where(mirror[rows, None], right.flip(1), right)
            cut = self.padded[rows[:, None, None], :, down[:, :, None], right[:, None, :]]  # (b, side, side, 3)
            yield cut.permute(0, 3, 1, 2), self.y[rows]


class Ahead:
    """A running average that the weights return to (Zhang et al. 2019, arXiv:1907.08610), ever more slowly."""

    def __init__(self, net: nn.Module) -> None:
        self.tensors = [t for t in net.state_dict().values() if t.is_floating_point()]
        self.slow = [t.clone() for t in self.tensors]

    @torch.no_grad()
    def look(self, keep: float) -> None:
        torch._foreach_lerp_(self.slow, self.tensors, 1 - keep)
        torch._foreach_copy_(self.tensors, self.slow)


def train(x: Tensor, y: Tensor, classes: int, epochs: float, batch: int) -> Network:
    """x normalized (n, 3, 32, 32) and y (n,), both on the device."""
    net, batches = network(classes, str(x.device)), Batches(x, y, batch)
    net.measure(x[:MEASURED])
    steps = max(1, int(epochs * len(batches)))
    share = 1024 * (1 + 1 / (1 - MOMENTUM))
    rate, decay = RATE / share, DECAY * batches.batch / share
    norms = [p for name, p in net.named_parameters() if p.requires_grad and p.ndim == 1 and "white" not in name]
    others = [p for name, p in net.named_parameters() if p.requires_grad and (p.ndim > 1 or "white" in name)]
    groups = [
        {"params": norms, "lr": rate * BIAS_RATE, "weight_decay": decay / (rate * BIAS_RATE)},
        {"params": others, "lr": rate, "weight_decay": decay / rate},
    ]
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
    highest, ahead, step = [group["lr"] for group in groups], Ahead(net), 0
    net.train()
    while step < steps:
        for pixels, labels in batches:
            net.white.bias.requires_grad_(step < BIAS_PASSES * len(batches))
            for group, most in zip(optimizer.param_groups, highest, strict=True):
                group["lr"] = most * triangle(step / steps)
            loss = F.cross_entropy(net(pixels).float(), labels, label_smoothing=SMOOTHING, reduction="sum")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step += 1
            if step % EVERY == 0:
                ahead.look(KEEP**EVERY * (step / steps) ** 3)
            if step == steps:
                break
    ahead.look(1.0)
    return net


def triangle(t: float) -> float:
    """The rate's share of its highest, at a share t of the training."""
    return START + (1 - START) * t / PEAK if t < PEAK else 1 + (END - 1) * (t - PEAK) / (1 - PEAK)


@torch.inference_mode()
def accuracy(net: Network, x: Tensor, y: Tensor) -> float:
    """Of the mean answer to each picture and its mirror image, as they are and shifted by a pixel both ways."""
    net.eval()

    def both(some: Tensor) -> Tensor:
        return (net(some) + net(some.flip(3))) / 2

    right = torch.zeros((), device=x.device)
    for some, labels in zip(x.split(2000), y.split(2000), strict=True):
        side, padded = some.shape[2], F.pad(some, (1,) * 4, mode="reflect")
        shifted = [padded[:, :, k : k + side, k : k + side] for k in (0, 2)]
        logits = both(some) / 2 + sum(map(both, shifted)) / 4
        right += (logits.argmax(1) == labels).sum()
    return right.item() / len(y)


def now(device: str) -> float:
    """The time when the device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=9.9)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device = options.device
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    dtype = torch.float16 if device.startswith("cuda") else torch.float32

    parts = [pictures(options.data / part) for part in ("train", "test")]
    classes = int(parts[0][1].max()) + 1
    (x, y), (test_x, test_y) = ((normalized(a.to(device), dtype), b.to(device)) for a, b in parts)
    train(x, y, classes, 1 / max(1, len(y) // options.batch), options.batch)  # one step, thrown away

    begun = now(device)
    net = train(x, y, classes, options.epochs, options.batch)
    trained = now(device)
    scored = accuracy(net, test_x, test_y)
    spent = {"evaluating": 0.0, "training": trained - begun, "scoring": now(device) - trained}
    print(json.dumps({"accuracy": scored, "epochs": options.epochs, **spent}), flush=True)


if __name__ == "__main__":
    main()

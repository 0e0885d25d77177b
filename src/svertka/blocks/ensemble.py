"""Several networks as one: the same picture goes through each, and their last feature maps lie side by side.

The maps differ in size, so all are brought to the coarsest grid, each place the exact mean of the area it covers. That
leaves global averages as they were: the embedding is the embeddings of the parts, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from svertka.blocks.net import NET, Net
from svertka.blocks.saved import saved_as
from svertka.errors import UsageError

Range = tuple[Sequence[float], Sequence[float]]  # mean and deviation per channel of pixels / 255


@saved_as("Rescale")
class Rescale(nn.Module):
    """Input that was normalized by one mean and deviation, as another mean and deviation would: (n, c, h, w), same."""

    scale: Tensor
    shift: Tensor

    def __init__(self, given: Range, expected: Range) -> None:
        super().__init__()
        (mean, std), (own_mean, own_std) = given, expected
        scale = [a / b for a, b in zip(std, own_std, strict=True)]
        shift = [(a - b) / c for a, b, c in zip(mean, own_mean, own_std, strict=True)]
        self.register_buffer("scale", torch.tensor(scale).view(-1, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
        return x * self.scale + self.shift


@saved_as("SideBySide")
class SideBySide(nn.Module):
    """The last maps of several networks on one grid: (n, c, h, w) -> (n, sum of channels, h', w')."""

    def __init__(self, nets: Sequence[Net], rescales: Sequence[Rescale]) -> None:
        super().__init__()
        self.nets, self.rescales = nn.ModuleList(nets), nn.ModuleList(rescales)

    def forward(self, x: Tensor) -> Tensor:
        """All maps, at the size of the smallest."""
        maps = [net.features(scale(x)) for net, scale in zip(self.nets, self.rescales, strict=True)]  # type: ignore[operator]
        height, width = min(m.shape[2] for m in maps), min(m.shape[3] for m in maps)
        return torch.cat([resized(m, height, width) for m in maps], dim=1)


@saved_as("Together", keeps=(*NET, "specs"))
class Ensemble(Net):
    """Several backbones in one silhouette; each keeps its features and loses its pool and head.

    Args:
        nets: networks that end in a global average.
        ranges: mean and deviation that each of them expects; the input comes in the range of the first.
        specs: how to build each again, kept for whoever saves this one.

    Raises:
        UsageError: one of them does not end in a global average.
    """

    def __init__(self, nets: Sequence[Net], ranges: Sequence[Range], specs: Sequence[Mapping[str, Any]]) -> None:
        for net in nets:
            if not averages(net.pool):
                raise UsageError(f"{net.name} does not end in a global average, so it cannot stand beside another.")
            net.pool, net.head = nn.Identity(), nn.Identity()
        rescales = [Rescale(ranges[0], own) for own in ranges]
        stages = nn.Sequential(SideBySide(nets, rescales))
        super().__init__(nn.Identity(), stages, nn.AdaptiveAvgPool2d(1), nn.Identity())
        self.name = " + ".join(net.name for net in nets)
        self.least = max(net.least for net in nets)
        self.specs = tuple(specs)


def averages(pool: nn.Module) -> bool:
    """Whether a pool is the average over all places."""
    return isinstance(pool, nn.AdaptiveAvgPool2d) and pool.output_size in (1, (1, 1))


def resized(maps: Tensor, height: int, width: int) -> Tensor:
    """Means over equal areas: (n, c, h, w) -> (n, c, height, width), with the same mean over all places."""
    if maps.shape[2:] == (height, width):
        return maps
    down, across = overlaps(maps.shape[2], height).to(maps), overlaps(maps.shape[3], width).to(maps)
    return down @ maps @ across.T


def overlaps(fine: int, coarse: int) -> Tensor:
    """How much of each coarse cell each fine one fills: (coarse, fine), rows sum to 1.

    >>> overlaps(3, 2)
    tensor([[0.6667, 0.3333, 0.0000],
            [0.0000, 0.3333, 0.6667]])
    """
    edges = torch.arange(fine + 1) * (coarse / fine)  # of fine cells, in coarse ones
    first = torch.arange(coarse)[:, None]
    return edges[1:].clamp(first, first + 1) - edges[:-1].clamp(first, first + 1)

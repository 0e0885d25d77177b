"""The stock network for small pictures and small data: quick on a CPU, good after a few passes.

Our own; every choice was measured on two CPU cores (LOG.md):
- the first convolution halves the picture at once and has few filters: full resolution is where a CPU's time goes;
- each stage halves with a strided convolution rather than a pooling, which is memory traffic and no learning;
- the width doubles inside a stage, at its smallest maps;
- global max pooling: a feature counts where it is strongest, wherever that is (as in Keller Jordan's airbench,
  arXiv:2404.00498), and the network takes any size.
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import ConvNorm, Net
from svertka.zoo.initial import he
from svertka.zoo.registry import Variant

TINY = 16  # up to this side the first convolution keeps the size
MAPS = 8  # stages are added until the maps are no wider than this


def small(classes: int, channels: int, size: int = 28, width: int = 32) -> Net:
    """The network for square pictures of about `size` pixels; the first stage has `width` filters, then twice that."""
    stride = 1 if size <= TINY else 2
    filters = width // 2
    stem = ConvNorm(channels, filters, 5, stride)  # (n, width/2, size/stride, ...)
    side, stages = -(-size // stride), list[nn.Module]()
    while not stages or side > MAPS:
        stages.append(
            nn.Sequential(
                ConvNorm(filters, width, 3, 2),
                ConvNorm(width, 2 * width, 3),
                ConvNorm(2 * width, 2 * width, 3),
            )
        )
        side, filters, width = -(-side // 2), 2 * width, 2 * width  # (n, width, side, side)
    return he(Net(stem, nn.Sequential(*stages), nn.AdaptiveMaxPool2d(1), nn.Linear(filters, classes)))


VARIANTS = (Variant("small", small, size=28, least=2, channels=1, classes=10, source="svertka"),)

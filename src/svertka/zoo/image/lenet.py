"""LeNet as lecture 001 builds it, and the one-convolution network of lecture 002.

LeCun et al. 1998, "Gradient-based learning applied to document recognition" (LeNet-5), in the lecture's words: two or
three 5x5 convolutions alternate with 2x2 average pooling until the maps are about five pixels wide, filters grow from
layer to layer, one or two dense layers gather the features. Departures from the paper: every map of the second
convolution sees all maps of the first, pooling has no weights, the last layer is dense.
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import Net
from svertka.shapes import output_size
from svertka.zoo.registry import Variant

PAPER = "LeCun et al. 1998, doi:10.1109/5.726791"
FILTERS = (6, 16, 32)
WIDEST = 14  # maps wider than this get a third convolution


def lenet(classes: int, channels: int, size: int = 28) -> Net:
    """LeNet for square pictures of `size` pixels: a convolution keeps the size (padding 2) where maps are small."""
    stages: list[nn.Module] = []
    side, width = size, channels
    for filters in FILTERS:
        if len(stages) == 2 and side <= WIDEST:
            break
        padding = 2 if side < 14 - 5 or (not stages and side <= 28) else 0
        side = output_size(side, 5, padding=padding) // 2
        conv = nn.Conv2d(width, filters, 5, padding=padding)
        stages.append(nn.Sequential(conv, nn.Tanh(), nn.AvgPool2d(2)))  # (n, filters, side, side)
        width = filters
    head = nn.Sequential(
        nn.Linear(width * side * side, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, classes)
    )
    net = Net(stages[0], nn.Sequential(*stages[1:]), nn.Flatten(), head)
    net.built_for = (size, size)
    return net


def oneconv(classes: int, channels: int, size: int = 28) -> Net:
    """The simplest network of lecture 002: one convolution, ReLU, max pooling, one dense layer."""
    stem = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU())  # (n, 16, size, size)
    stages = nn.Sequential(nn.MaxPool2d(2))  # (n, 16, size/2, size/2)
    net = Net(stem, stages, nn.Flatten(), nn.Linear(16 * (size // 2) ** 2, classes))
    net.built_for = (size, size)
    return net


VARIANTS = (
    Variant("lenet", lenet, size=28, least=4, channels=1, classes=10, source=PAPER),
    Variant("oneconv", oneconv, size=28, least=2, channels=1, classes=10, source="lecture 002"),
)

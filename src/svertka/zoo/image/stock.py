"""The stock networks for data of one's own: the most that a CPU learns in seconds or minutes.

Our own, after Keller Jordan's airbench (arXiv:2404.00498); what differs was measured on two CPU cores (LOG.md):
- the first layer is measured, not learned, and halves the picture at once (`blocks.Whitening`);
- plain 3x3 convolutions with stride one do nearly all the work: they run at the speed of matrix products, which
  neither strided nor depthwise ones do;
- pooling stands between convolution and norm, so that norm and activation touch a quarter of the numbers;
- global max pooling: a feature counts where it is strongest, wherever that is, and the network takes any size.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from svertka.blocks import ConvNorm, Net, Whitening
from svertka.zoo.initialization import he
from svertka.zoo.registry import Variant

TINY, NEAR = 16, 40  # up to these sides the first layer keeps the size, or halves it; above it quarters
MAPS = 4  # stages are added until the maps are no wider than this
STAGES = 4  # and no more than these
COMPONENTS = (6, 6)  # of a patch, by their variance: so many, and so many more for each channel


def small(classes: int, channels: int, size: int = 28, width: int | None = None) -> Net:
    """The network for square pictures of about `size` pixels.

    Args:
        classes, channels: of the data.
        size: decides how many stages there are.
        width: filters of the first stage, each next has twice as many; 16 for one channel and 32 for more where None.
    """
    stride = 1 if size <= TINY else 2 if size <= NEAR else 4
    width = width or (16 if channels == 1 else 32)
    stem, filters = _stem(channels, stride)  # (n, filters, size/stride, ...)
    side, stages = size // stride, [nn.Sequential(ConvNorm(filters, width, 3))]  # one here: the largest maps cost most
    while side > MAPS and len(stages) < STAGES:
        stages.append(nn.Sequential(_pooled(width, 2 * width), ConvNorm(2 * width, 2 * width, 3)))
        side, width = side // 2, 2 * width  # (n, width, side, side)
    return he(Net(stem, nn.Sequential(*stages), nn.AdaptiveMaxPool2d(1), nn.Linear(width, classes)))


def _stem(channels: int, stride: int) -> tuple[nn.Module, int]:
    if stride == 1:
        return ConvNorm(channels, 16, 3), 16
    white = Whitening(channels, stride, COMPONENTS[0] + COMPONENTS[1] * channels)
    return nn.Sequential(OrderedDict(conv=white, act=nn.ReLU(inplace=True))), white.out_channels


def _pooled(c_in: int, c_out: int) -> nn.Module:
    """Convolution, maximum of each 2x2, batch norm, activation: (n, c_in, h, w) -> (n, c_out, h // 2, w // 2)."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
    parts = OrderedDict(conv=conv, pool=nn.MaxPool2d(2), norm=nn.BatchNorm2d(c_out), act=nn.ReLU(inplace=True))
    return nn.Sequential(parts)


VARIANTS = (
    Variant("small", small, size=28, least=8, channels=1, classes=10, source="svertka"),
    Variant("medium", partial(small, width=64), size=32, least=8, channels=3, classes=10, source="svertka"),
    Variant("large", partial(small, width=128), size=32, least=8, channels=3, classes=10, source="svertka"),
)

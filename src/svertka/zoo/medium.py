"""The stock network for colour pictures when there is much of them: the most that a CPU learns in minutes.

Our own, after Keller Jordan's airbench (arXiv:2404.00498); what differs was measured on two CPU cores (LOG.md):
- the first layer is measured, not learned, and halves the picture at once (`blocks.Whitening`);
- plain 3x3 convolutions with stride one do nearly all the work: they run at the speed of matrix products, which
  neither strided nor depthwise ones do;
- pooling stands between convolution and norm, so that norm and activation touch a quarter of the numbers.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from svertka.blocks import ConvNorm, Net, Whitening
from svertka.zoo.initial import he
from svertka.zoo.registry import Variant

NEAR = 40  # up to this side patches are 4x4 with stride 2; above, 8x8 with stride 4
MAPS = 4  # stages are added until the maps are no wider than this
COMPONENTS = 24  # of a patch, by their variance


def medium(classes: int, channels: int, size: int = 32, width: int = 64) -> Net:
    """The network for square pictures of about `size` pixels; the first stage has `width` filters, each next twice."""
    stride = 2 if size <= NEAR else 4
    stem = nn.Sequential(Whitening(channels, stride, COMPONENTS), nn.ReLU(inplace=True))
    filters = 2 * min(COMPONENTS, channels * 4 * stride**2)  # (n, filters, size/stride, ...)
    side, stages = -(-size // stride), [_stage(filters, width, halve=False)]
    while side > MAPS and len(stages) < 4:
        stages.append(_stage(width, 2 * width, halve=True))
        side, width = side // 2, 2 * width  # (n, width, side, side)
    return he(Net(stem, nn.Sequential(*stages), nn.AdaptiveMaxPool2d(1), nn.Linear(width, classes)))


def _stage(c_in: int, c_out: int, *, halve: bool) -> nn.Module:
    first = _pooled(c_in, c_out) if halve else ConvNorm(c_in, c_out, 3)
    return nn.Sequential(first, ConvNorm(c_out, c_out, 3))


def _pooled(c_in: int, c_out: int) -> nn.Module:
    """Convolution, maximum of each 2x2, batch norm, activation: (n, c_in, h, w) -> (n, c_out, h // 2, w // 2)."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
    parts = OrderedDict(conv=conv, pool=nn.MaxPool2d(2), norm=nn.BatchNorm2d(c_out), act=nn.ReLU(inplace=True))
    return nn.Sequential(parts)


VARIANTS = (Variant("medium", medium, size=32, least=14, channels=3, classes=10, source="svertka"),)

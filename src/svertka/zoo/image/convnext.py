"""ConvNeXt: a ResNet rebuilt after the transformer: patches, 7x7 depthwise kernels, layer norm, GELU.

Liu et al. 2022, arXiv:2201.03545. Notable choices:
- channels stand last where layer norm and the two 1x1 convolutions work, which are then linear layers;
- a block starts scaled to almost nothing (layer scale, arXiv:2103.17239), so a fresh one nearly is the input;
- stochastic depth is off unless `drop_path` says otherwise (0.1 for T and 0.4 for S in the paper).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from svertka.blocks import Net, StochasticDepth, saved_as
from svertka.zoo.registry import Renames, Variant

EPS = 1e-6  # of every layer norm


@dataclass(frozen=True, slots=True)
class Plan:
    """One network: blocks and channels of the four stages."""

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (96, 192, 384, 768)


PLANS = {
    "convnext_tiny": Plan((3, 3, 9, 3)),
    "convnext_small": Plan((3, 3, 27, 3)),
}


@saved_as("convnext.ChannelNorm", keeps=None)
class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel: (n, c, h, w) -> (n, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each pixel."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


@saved_as("convnext.Block")
class Block(nn.Module):
    """Look around in each channel, mix them four times as wide (figure 4): (n, c, h, w) -> (n, c, h, w)."""

    def __init__(self, c: int, drop: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(c, c, 7, padding=3, groups=c)
        self.norm = nn.LayerNorm(c, EPS)
        self.widen = nn.Linear(c, 4 * c)
        self.act = nn.GELU()
        self.narrow = nn.Linear(4 * c, c)
        self.scale = nn.Parameter(torch.full((c, 1, 1), 1e-6))
        self.drop = StochasticDepth(drop) if drop else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y = self.depthwise(x)  # (n, c, h, w)
        y = self.norm(y.movedim(1, -1))  # (n, h, w, c)
        y = self.narrow(self.act(self.widen(y)))  # (n, h, w, c)
        branch: Tensor = self.drop(self.scale * y.movedim(-1, 1))  # (n, c, h, w)
        return x + branch


def downsample(c_in: int, c_out: int) -> nn.Sequential:
    """(n, c_in, h, w) -> (n, c_out, h/2, w/2)."""
    return nn.Sequential(OrderedDict(norm=ChannelNorm(c_in, EPS), conv=nn.Conv2d(c_in, c_out, 2, stride=2)))


def convnext(plan: Plan, *, classes: int = 1000, channels: int = 3, drop_path: float = 0.0) -> Net:
    """A ConvNeXt: (n, channels, h, w) -> (n, classes).

    Args:
        plan: one of PLANS.
        classes: outputs.
        channels: input channels.
        drop_path: share of samples for which training skips the last block; ever less towards the start.
    """
    first, *_, last = plan.widths
    patches = nn.Conv2d(channels, first, 4, stride=4)  # (n, 96, h/4, w/4)
    stem = nn.Sequential(OrderedDict(conv=patches, norm=ChannelNorm(first, EPS)))

    drops = iter(drop_path * k / (sum(plan.depths) - 1) for k in range(sum(plan.depths)))
    stages = nn.Sequential()
    c_in = first
    for depth, c in zip(plan.depths, plan.widths, strict=True):
        down = downsample(c_in, c) if c != c_in else nn.Identity()
        blocks = nn.Sequential(*(Block(c, next(drops)) for _ in range(depth)))
        stages.append(nn.Sequential(OrderedDict(down=down, blocks=blocks)))
        c_in = c  # after the last: (n, 768, h/32, w/32)

    head = nn.Sequential(OrderedDict(norm=nn.LayerNorm(last, EPS), linear=nn.Linear(last, classes)))
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=head)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(cast(Tensor, module.bias))
    return net


# torchvision counts stem, stages and the steps between them: features.0 ... features.7.
TORCHVISION: Renames = (
    (r"^features\.0\.0\.", "stem.conv."),
    (r"^features\.0\.1\.", "stem.norm."),
    *((rf"^features\.{2 * i + 1}\.", f"stages.{i}.blocks.") for i in range(4)),
    *((rf"^features\.{2 * i}\.0\.", f"stages.{i}.down.norm.") for i in range(1, 4)),
    *((rf"^features\.{2 * i}\.1\.", f"stages.{i}.down.conv.") for i in range(1, 4)),
    (r"\.layer_scale$", ".scale"),
    (r"\.block\.0\.", ".depthwise."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".widen."),
    (r"\.block\.5\.", ".narrow."),
    (r"^classifier\.0\.", "head.norm."),
    (r"^classifier\.2\.", "head.linear."),
)

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(convnext, plan),
        size=224,
        least=32,
        source="Liu et al. 2022, arXiv:2201.03545",
        renames={"torchvision": TORCHVISION},
    )
    for name, plan in PLANS.items()
)

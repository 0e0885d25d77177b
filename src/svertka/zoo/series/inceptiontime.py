"""InceptionTime: windows of 40, 20 and 10 samples side by side, six times over, with a way past every three.

Ismail Fawaz et al. 2019, arXiv:1909.04939, figures 1 and 2. It takes any number of channels and any length.
There is no stem: the first module begins at the input. The paper calls one such network an Inception network
and the mean of five of them InceptionTime; this is one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks import Net, saved_as
from svertka.zoo.registry import Variant

WINDOWS = (40, 20, 10)
NARROW = 32  # channels of each branch, and of the bottleneck before the wide windows
WIDE = NARROW * (len(WINDOWS) + 1)


@saved_as("inceptiontime.Module")
class Module(nn.Module):
    """Figure 2: (n, width_in, length) -> (n, 128, length)."""

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.bottleneck = nn.Conv1d(width_in, NARROW, 1, bias=False) if width_in > 1 else nn.Identity()
        width = NARROW if width_in > 1 else 1
        self.windows = nn.ModuleList(
            nn.Sequential(
                nn.ConstantPad1d(((window - 1) // 2, window // 2), 0.0),
                nn.Conv1d(width, NARROW, window, bias=False),
            )
            for window in WINDOWS
        )
        self.peak = nn.Sequential(
            nn.MaxPool1d(3, stride=1, padding=1),
            nn.Conv1d(width_in, NARROW, 1, bias=False),
        )
        self.norm = nn.BatchNorm1d(WIDE)

    def forward(self, x: Tensor) -> Tensor:
        """All branches, joined."""
        narrow = self.bottleneck(x)  # (n, 32, length)
        y = torch.cat([*(look(narrow) for look in self.windows), self.peak(x)], dim=1)
        return F.relu(self.norm(y))  # (n, 128, length)


@saved_as("inceptiontime.Residual")
class Residual(nn.Module):
    """Figure 1: three modules, and the input beside them: (n, width_in, length) -> (n, 128, length)."""

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Module(width_in), Module(WIDE), Module(WIDE))
        self.skip = nn.Sequential(nn.Conv1d(width_in, WIDE, 1, bias=False), nn.BatchNorm1d(WIDE))

    def forward(self, x: Tensor) -> Tensor:
        """relu(F(x) + x)."""
        return F.relu(self.body(x) + self.skip(x))


def inceptiontime(*, classes: int, channels: int) -> Net:
    """InceptionTime: (n, channels, length) -> (n, classes)."""
    return Net(
        stem=nn.Identity(),
        stages=nn.Sequential(Residual(channels), Residual(WIDE)),  # (n, 128, length)
        pool=nn.AdaptiveAvgPool1d(1),
        head=nn.Linear(WIDE, classes),
    )


VARIANTS = (
    Variant(
        "inceptiontime",
        inceptiontime,
        size=128,
        least=1,
        channels=1,
        classes=2,
        dims=1,
        source="Ismail Fawaz et al. 2019, arXiv:1909.04939",
    ),
)

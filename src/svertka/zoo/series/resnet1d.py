"""ResNet for series: three residual blocks of three convolutions each, the mean over time.

Wang et al. 2017, arXiv:1611.06455, figure 1c. It takes any number of channels and any length. There is no
stem: the first block begins at the input. One departure: no biases before batch norm, which has its own.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks import Net, saved_as
from svertka.zoo.registry import Variant
from svertka.zoo.series.fcn1d import convolution

WIDTHS = (64, 128, 128)


@saved_as("resnet1d.Residual")
class Residual(nn.Module):
    """Windows of 8, 5 and 3 samples, the input beside them: (n, width_in, length) -> (n, width, length)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(width_in, width, 8), nn.ReLU(),
            convolution(width, width, 5), nn.ReLU(),
            convolution(width, width, 3),
        )  # fmt: skip
        # The authors' code has a norm on the way past the block too, also where no convolution is needed.
        self.skip = nn.BatchNorm1d(width) if width_in == width else convolution(width_in, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """relu(F(x) + x)."""
        return F.relu(self.body(x) + self.skip(x))


def resnet1d(*, classes: int, channels: int) -> Net:
    """ResNet for series: (n, channels, length) -> (n, classes)."""
    stages = (Residual(w_in, w) for w_in, w in zip((channels, *WIDTHS), WIDTHS, strict=False))
    return Net(
        stem=nn.Identity(),
        stages=nn.Sequential(*stages),  # (n, 128, length)
        pool=nn.AdaptiveAvgPool1d(1),
        head=nn.Linear(WIDTHS[-1], classes),
    )


VARIANTS = (
    Variant(
        "resnet1d",
        resnet1d,
        size=128,
        least=1,
        channels=1,
        classes=2,
        dims=1,
        source="Wang et al. 2017, arXiv:1611.06455",
    ),
)

"""FCN for series: three convolutions, the mean over time, no pooling on the way.

Wang et al. 2017, arXiv:1611.06455, figure 1b. It takes any number of channels and any length. One departure:
no biases before batch norm, which has its own.
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import Net
from svertka.zoo.registry import Variant


def convolution(width_in: int, width: int, kernel: int) -> nn.Sequential:
    """Convolution and norm of the same length: (n, width_in, length) -> (n, width, length).

    An even kernel sees one sample more ahead than behind, as in the authors' code.
    """
    return nn.Sequential(
        nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0),
        nn.Conv1d(width_in, width, kernel, bias=False),
        nn.BatchNorm1d(width),
    )


def fcn1d(*, classes: int, channels: int) -> Net:
    """FCN: (n, channels, length) -> (n, classes)."""
    return Net(
        stem=convolution(channels, 128, 8).append(nn.ReLU()),  # (n, 128, length)
        stages=nn.Sequential(
            convolution(128, 256, 5).append(nn.ReLU()),        # (n, 256, length)
            convolution(256, 128, 3).append(nn.ReLU()),        # (n, 128, length)
        ),
        pool=nn.AdaptiveAvgPool1d(1),
        head=nn.Linear(128, classes),
    )  # fmt: skip


VARIANTS = (
    Variant(
        "fcn1d",
        fcn1d,
        size=128,
        least=1,
        channels=1,
        classes=2,
        dims=1,
        source="Wang et al. 2017, arXiv:1611.06455",
    ),
)

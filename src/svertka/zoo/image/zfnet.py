"""ZFNet: AlexNet with smaller windows and shorter steps at the front, after looking at what its filters saw.

Zeiler and Fergus 2013, arXiv:1311.2901. `zfnet` is row (b) of their table 2, with 512, 1024 and 512
filters in the last three convolutions, the one that lectures draw; `zfnet_fig3` is their figure 3, with
384, 384 and 256. The paper states sizes, not paddings: the first convolution is padded by 1 and poolings
round up, which gives exactly the figure's 224 -> 110 -> 55 -> 26 -> 13 -> 6. The contrast normalization
across maps has AlexNet's constants (Krizhevsky et al. 2012, section 3.3), for the paper states none. Maps
are averaged to 6 x 6 before the head, so that any input size works; at 224 this changes nothing.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from svertka.blocks import Net
from svertka.zoo.initialization import he
from svertka.zoo.registry import Variant


def zfnet(filters: tuple[int, int, int], *, classes: int, channels: int, dropout: float = 0.5) -> Net:
    """ZFNet with so many filters in the last three convolutions; shapes are those of a 224 x 224 input."""
    f3, f4, f5 = filters
    stem = nn.Sequential(
        nn.Conv2d(channels, 96, 7, stride=2, padding=1), nn.ReLU(),   # (n, 96, 110, 110)
        nn.MaxPool2d(3, stride=2, ceil_mode=True), contrast(),        # (n, 96, 55, 55)
    )  # fmt: skip
    second = nn.Sequential(
        nn.Conv2d(96, 256, 5, stride=2), nn.ReLU(),                   # (n, 256, 26, 26)
        nn.MaxPool2d(3, stride=2, ceil_mode=True), contrast(),        # (n, 256, 13, 13)
    )  # fmt: skip
    third = nn.Sequential(
        nn.Conv2d(256, f3, 3, padding=1), nn.ReLU(),                  # (n, f3, 13, 13)
        nn.Conv2d(f3, f4, 3, padding=1), nn.ReLU(),                   # (n, f4, 13, 13)
        nn.Conv2d(f4, f5, 3, padding=1), nn.ReLU(),                   # (n, f5, 13, 13)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),                    # (n, f5, 6, 6)
    )  # fmt: skip
    head = nn.Sequential(
        nn.Linear(f5 * 6 * 6, 4096), nn.ReLU(), nn.Dropout(dropout),  # (n, 4096)
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout),        # (n, 4096)
        nn.Linear(4096, classes),                                     # (n, classes)
    )  # fmt: skip
    return he(Net(stem, nn.Sequential(second, third), nn.AdaptiveAvgPool2d(6), head))


def contrast() -> nn.LocalResponseNorm:
    """Divide by (2 + 1e-4 * sum of squares over 5 neighboring maps)^0.75; torch takes 5 times that 1e-4."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


ROWS = {"zfnet": (512, 1024, 512), "zfnet_fig3": (384, 384, 256)}

VARIANTS = tuple(
    Variant(
        name,
        partial(zfnet, filters),
        size=224,
        least=47,
        source="Zeiler and Fergus 2013, arXiv:1311.2901",
    )
    for name, filters in ROWS.items()
)

"""SqueezeNet: AlexNet's accuracy with fifty times fewer weights, by squeezing channels before each 3 x 3.

Iandola et al. 2016, arXiv:1602.07360; 1.1 is the authors' later form: pooling earlier, 2.4 times less
work. There is no fully connected layer. The head is a convolution that scores the classes at every place,
and what survives its ReLU is averaged: the head comes before the pool here, and `embed` averages the 512
maps that the head looks at. (A head that works on that vector, as everywhere else, can be put in its
place.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from svertka.blocks import NET, Net, saved_as
from svertka.zoo.initialization import he
from svertka.zoo.registry import Renames, Variant
from svertka.zoo.weights.rename_tensors import unroll


@saved_as("squeezenet.Fire")
class Fire(nn.Module):
    """Few channels in the middle, then two views of them side by side: figure 1 of the paper."""

    def __init__(self, width_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(width_in, squeeze, 1), nn.ReLU())
        self.expand1 = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU())
        self.expand3 = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) -> (n, 2 * expand, h, w)."""
        y = self.squeeze(x)  # (n, squeeze, h, w)
        return torch.cat([self.expand1(y), self.expand3(y)], dim=1)  # (n, 2 * expand, h, w)


@saved_as("squeezenet.PlaceHead")
class PlaceHead(nn.Sequential):
    """Scores at every place: (n, 512, h, w) -> (n, classes, h, w)."""


@saved_as("squeezenet.SqueezeNet", keeps=NET)
class SqueezeNet(Net):
    """Its head may stand before its pool."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits: (n, channels, h, w) -> (n, classes)."""
        if not isinstance(self.head, PlaceHead):
            return super().forward(x)
        places: Tensor = self.head(self.features(x))  # (n, classes, h', w')
        logits: Tensor = self.pool(places).flatten(1)  # (n, classes)
        return logits


@dataclass(frozen=True, slots=True)
class Plan:
    """The first convolution; fire modules before, between and after two halvings; the least input."""

    width: int
    kernel: int
    fires: tuple[int, int, int]
    least: int


SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)  # in the middle of each fire module; its views have 4 times that


def squeezenet(plan: Plan, *, classes: int, channels: int, dropout: float = 0.5) -> Net:
    """SqueezeNet by its plan."""
    widths = (plan.width, *(8 * squeeze for squeeze in SQUEEZE))  # before and after each fire module
    fires = (Fire(width, squeeze, 4 * squeeze) for width, squeeze in zip(widths, SQUEEZE, strict=False))
    first, second, third = (list(islice(fires, count)) for count in plan.fires)
    stem = nn.Sequential(nn.Conv2d(channels, plan.width, plan.kernel, stride=2), nn.ReLU(), halve())
    stages = nn.Sequential(
        nn.Sequential(*first, halve()),
        nn.Sequential(*second, halve()),
        nn.Sequential(*third),
    )
    head = PlaceHead(nn.Dropout(dropout), nn.Conv2d(512, classes, 1), nn.ReLU())
    return he(SqueezeNet(stem, stages, nn.AdaptiveAvgPool2d(1), head))


def halve() -> nn.MaxPool2d:
    """Half the size, rounded up as in Caffe."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def torchvision(plan: Plan) -> Renames:
    """Torchvision numbers all layers before the classifier in one row."""
    first, second, third = plan.fires
    lengths = {"stem": 3, "stages.0": first + 1, "stages.1": second + 1, "stages.2": third}
    return (
        *unroll("features", *lengths.items()),
        (r"\.(squeeze|expand\d)(x\d)?\.", r".\1.0."),
        (r"^classifier\.", "head."),
    )


ROWS = {
    "squeezenet1_0": Plan(width=96, kernel=7, fires=(3, 4, 1), least=21),
    "squeezenet1_1": Plan(width=64, kernel=3, fires=(2, 2, 4), least=17),
}

VARIANTS = tuple(
    Variant(
        name,
        partial(squeezenet, plan),
        size=224,
        least=plan.least,
        source="Iandola et al. 2016, arXiv:1602.07360",
        renames={"torchvision": torchvision(plan)},
    )
    for name, plan in ROWS.items()
)

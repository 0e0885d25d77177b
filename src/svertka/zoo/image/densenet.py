"""DenseNet: every layer sees what all layers before it in its stage have found, and adds a little of its own.

Huang et al. 2016, arXiv:1608.06993, table 1, with the bottleneck and compression of section 3
(DenseNet-BC). Norm and ReLU come before each convolution, so a last norm and ReLU close the last stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from svertka.blocks import Net, saved_as
from svertka.blocks.sequence import named
from svertka.zoo.initialization import he
from svertka.zoo.registry import Renames, Variant


@dataclass(frozen=True, slots=True)
class Plan:
    """Layers per stage, channels that each layer adds, channels after the stem."""

    depths: tuple[int, int, int, int]
    growth: int = 32
    width: int = 64


@saved_as("densenet.Layer")
class Layer(nn.Module):
    """A narrow look at all channels, then a 3 x 3; what it finds joins the channels."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c + growth, h, w)."""
        y = self.conv1(self.relu(self.norm1(x)))  # (n, 4 * growth, h, w)
        y = self.conv2(self.relu(self.norm2(y)))  # (n, growth, h, w)
        return torch.cat([x, y], dim=1)  # (n, c + growth, h, w)


def transition(width: int) -> nn.Sequential:
    """Half the channels, half the size: (n, width, h, w) -> (n, width/2, h/2, w/2)."""
    return named(
        norm=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
        conv=nn.Conv2d(width, width // 2, 1, bias=False),
        pool=nn.AvgPool2d(2),
    )


def densenet(plan: Plan, *, classes: int, channels: int) -> Net:
    """DenseNet by its plan; sizes are those of a 224 x 224 input."""
    stem = named(
        conv=nn.Conv2d(channels, plan.width, 7, stride=2, padding=3, bias=False),  # (n, width, 112, 112)
        norm=nn.BatchNorm2d(plan.width),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(3, stride=2, padding=1),  # (n, width, 56, 56)
    )
    width = plan.width
    stages: list[nn.Sequential] = []
    for depth in plan.depths:
        stage = named()
        if stages:
            stage.transition = transition(width)
            width //= 2
        for n in range(1, depth + 1):
            stage.add_module(f"layer{n}", Layer(width, plan.growth))
            width += plan.growth
        stages.append(stage)  # (n, width, 56, 56), then 28, 14, 7
    stages[-1].norm, stages[-1].relu = nn.BatchNorm2d(width), nn.ReLU()
    return he(Net(stem, nn.Sequential(*stages), nn.AdaptiveAvgPool2d(1), nn.Linear(width, classes)))


TORCHVISION: Renames = (
    (r"\.(norm|conv)\.([12])\.", r".\1\2."),  # the published files are older than the library's present names
    (r"^features\.(conv|norm)0\.", r"stem.\1."),
    *((rf"^features\.denseblock{n + 1}\.denselayer", f"stages.{n}.layer") for n in range(4)),
    (r"^features\.transition(\d)\.", r"stages.\1.transition."),
    (r"^features\.norm5\.", "stages.3.norm."),
    (r"^classifier\.", "head."),
)

ROWS = {
    "densenet121": Plan((6, 12, 24, 16)),
    "densenet161": Plan((6, 12, 36, 24), growth=48, width=96),
    "densenet169": Plan((6, 12, 32, 32)),
    "densenet201": Plan((6, 12, 48, 32)),
}

VARIANTS = tuple(
    Variant(
        name,
        partial(densenet, plan),
        size=224,
        least=29,
        source="Huang et al. 2016, arXiv:1608.06993",
        renames={"torchvision": TORCHVISION},
    )
    for name, plan in ROWS.items()
)

"""AlexNet: five convolutions and three fully connected layers, the network that began it all in 2012.

This is its form in one tower (Krizhevsky 2014, arXiv:1404.5997, footnote 1), for which weights are
published: not split over two graphics cards, fewer filters in the first two layers, no response
normalization. The maps are averaged to 6 x 6 before the head, so that any input size works; at 224 this
changes nothing.
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import Net
from svertka.zoo.initialization import he
from svertka.zoo.registry import Variant
from svertka.zoo.weights.rename_tensors import unroll


def alexnet(*, classes: int, channels: int, dropout: float = 0.5) -> Net:
    """AlexNet; shapes are those of a 224 x 224 input."""
    stem = nn.Sequential(
        nn.Conv2d(channels, 64, 11, stride=4, padding=2), nn.ReLU(),  # (n, 64, 55, 55)
        nn.MaxPool2d(3, stride=2),                                    # (n, 64, 27, 27)
    )  # fmt: skip
    second = nn.Sequential(
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),                  # (n, 192, 27, 27)
        nn.MaxPool2d(3, stride=2),                                    # (n, 192, 13, 13)
    )  # fmt: skip
    third = nn.Sequential(
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),                 # (n, 384, 13, 13)
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),                 # (n, 256, 13, 13)
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),                 # (n, 256, 13, 13)
        nn.MaxPool2d(3, stride=2),                                    # (n, 256, 6, 6)
    )  # fmt: skip
    head = nn.Sequential(
        nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),  # (n, 4096)
        nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(),         # (n, 4096)
        nn.Linear(4096, classes),                                      # (n, classes)
    )  # fmt: skip
    return he(Net(stem, nn.Sequential(second, third), nn.AdaptiveAvgPool2d(6), head))


VARIANTS = (
    Variant(
        "alexnet",
        alexnet,
        size=224,
        least=63,
        source="Krizhevsky 2014, arXiv:1404.5997",
        renames={
            "torchvision": (
                *unroll("features", ("stem", 3), ("stages.0", 3), ("stages.1", 7)),
                (r"^classifier\.", "head."),
            )
        },
    ),
)

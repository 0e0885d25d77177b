"""VGG: nothing but 3 x 3 convolutions and 2 x 2 poolings; whenever the maps halve, the filters double.

Simonyan and Zisserman 2014, arXiv:1409.1556, table 1: configurations A, B, D and E. With batch norm
(`_bn`) as in the published weights of later years. The first block is the stem. Maps are averaged to 7 x 7
before the head, so that any input size works; at 224 this changes nothing. Almost all weights sit in the
first fully connected layer.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import nn

from svertka.blocks import Net
from svertka.zoo.initialization import he
from svertka.zoo.registry import Renames, Variant
from svertka.zoo.weights.rename_tensors import unroll

Depths = tuple[int, int, int, int, int]
WIDTHS = (64, 128, 256, 512, 512)


def vgg(depths: Depths, norm: bool, *, classes: int, channels: int, dropout: float = 0.5) -> Net:
    """VGG with so many convolutions in each of its five blocks; shapes are those of a 224 x 224 input."""
    steps = zip(pairwise((channels, *WIDTHS)), depths, strict=True)
    stem, *stages = (block(*widths, depth, norm) for widths, depth in steps)  # sizes 112, then 56, 28, 14, 7
    head = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout),  # (n, 4096)
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout),         # (n, 4096)
        nn.Linear(4096, classes),                                      # (n, classes)
    )  # fmt: skip
    return he(Net(stem, nn.Sequential(*stages), nn.AdaptiveAvgPool2d(7), head))


def block(width_in: int, width: int, depth: int, norm: bool) -> nn.Sequential:
    """Convolutions of one width, then half the size: (n, width_in, h, w) -> (n, width, h/2, w/2)."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers.append(nn.Conv2d(width_in, width, 3, padding=1))
        if norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU())
        width_in = width
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def torchvision(depths: Depths, norm: bool) -> Renames:
    """Torchvision numbers all layers of the five blocks in one row."""
    lengths = [depth * (3 if norm else 2) + 1 for depth in depths]
    parts = ("stem", "stages.0", "stages.1", "stages.2", "stages.3")
    return (*unroll("features", *zip(parts, lengths, strict=True)), (r"^classifier\.", "head."))


ROWS: dict[str, Depths] = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}

VARIANTS = tuple(
    Variant(
        f"{name}_bn" if norm else name,
        partial(vgg, depths, norm),
        size=224,
        least=32,
        source="Simonyan and Zisserman 2014, arXiv:1409.1556",
        renames={"torchvision": torchvision(depths, norm)},
    )
    for name, depths in ROWS.items()
    for norm in (False, True)
)

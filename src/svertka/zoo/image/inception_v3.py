"""Inception v3: GoogLeNet with its wide windows taken apart into small ones, and into rows and columns.

Szegedy et al. 2015, arXiv:1512.00567, in the form that published weights have (torchvision's, after
TensorFlow's). Block names follow TensorFlow: 5 at 35 x 35, 6 at 17 x 17, 7 at 8 x 8 for an input of 299.
Departures:
- padded average pooling counts the padding's zeros, as torchvision does and TensorFlow does not;
- the auxiliary head pools 5 x 5 at stride 3, which fits inputs of about 299; smaller maps are averaged to
  the same 5 x 5, so that smaller inputs train too.

The auxiliary head, at the end of the middle stage, is used in training only (`outputs`; torchvision's
recipe adds its loss with weight 0.4). `aux=False` leaves it out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from svertka.blocks import Net, saved_as
from svertka.blocks.sequence import named
from svertka.zoo.image.googlenet import Branches, Inception, unit
from svertka.zoo.initialization import he
from svertka.zoo.registry import Renames, Variant

ROW, COLUMN = (1, 7), (7, 1)


def small(width: int, pool: int) -> Branches:
    """Figure 5: the 5 x 5 also as two 3 x 3."""
    return Branches(
        one=unit(width, 64, 1),
        five=nn.Sequential(unit(width, 48, 1), unit(48, 64, 5)),
        deep=nn.Sequential(unit(width, 64, 1), unit(64, 96, 3), unit(96, 96, 3)),
        pool=nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), unit(width, pool, 1)),
    )


def crossed(width: int, inner: int) -> Branches:
    """Figure 6: a 7 x 7 as a row of seven and a column of seven."""
    return Branches(
        one=unit(width, 192, 1),
        seven=nn.Sequential(unit(width, inner, 1), unit(inner, inner, ROW), unit(inner, 192, COLUMN)),
        deep=nn.Sequential(
            unit(width, inner, 1),
            unit(inner, inner, COLUMN),
            unit(inner, inner, ROW),
            unit(inner, inner, COLUMN),
            unit(inner, 192, ROW),
        ),
        pool=nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), unit(width, 192, 1)),
    )


def spread(width: int) -> Branches:
    """Figure 7: rows and columns side by side, many features on the coarsest maps."""
    return Branches(
        one=unit(width, 320, 1),
        three=nn.Sequential(unit(width, 384, 1), row_and_column()),
        deep=nn.Sequential(unit(width, 448, 1), unit(448, 384, 3), row_and_column()),
        pool=nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), unit(width, 192, 1)),
    )


def row_and_column() -> Branches:
    """(n, 384, h, w) -> (n, 768, h, w)."""
    return Branches(row=unit(384, 384, (1, 3)), column=unit(384, 384, (3, 1)))


def shrink_5(width: int) -> Branches:
    """Figure 10: half the size, by stride and by pooling side by side."""
    return Branches(
        three=halving(width, 384),
        deep=nn.Sequential(unit(width, 64, 1), unit(64, 96, 3), halving(96, 96)),
        pool=nn.MaxPool2d(3, stride=2),
    )


def shrink_6(width: int) -> Branches:
    """The same on the middle maps, the second branch through a 7 x 7 taken apart."""
    return Branches(
        three=nn.Sequential(unit(width, 192, 1), halving(192, 320)),
        seven=nn.Sequential(unit(width, 192, 1), unit(192, 192, ROW), unit(192, 192, COLUMN), halving(192, 192)),
        pool=nn.MaxPool2d(3, stride=2),
    )


def halving(width_in: int, width: int) -> nn.Sequential:
    """A 3 x 3 at stride 2 without padding."""
    return unit(width_in, width, 3, stride=2, pad=False)


@saved_as("inception.Shrink")
class Shrink(nn.Module):
    """To 5 x 5, by windows of 5 at stride 3 where the maps are large enough for them."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, 17, 17) -> (n, c, 5, 5), and likewise for other sizes."""
        if min(x.shape[2:]) < 17:
            return F.adaptive_avg_pool2d(x, 5)
        return F.avg_pool2d(x, 5, stride=3)


def auxiliary(width: int, classes: int) -> nn.Sequential:
    """Figure 8: a small classifier on the middle maps: (n, width, h, w) -> (n, classes)."""
    return nn.Sequential(
        Shrink(), unit(width, 128, 1),                                       # (n, 128, 5, 5)
        unit(128, 768, 5, pad=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(),  # (n, 768)
        nn.Linear(768, classes),                                             # (n, classes)
    )  # fmt: skip


def inception_v3(*, classes: int, channels: int, aux: bool = True, dropout: float = 0.5) -> Net:
    """Inception v3; shapes are those of a 299 x 299 input."""
    stem = nn.Sequential(
        unit(channels, 32, 3, stride=2, pad=False),            # (n, 32, 149, 149)
        unit(32, 32, 3, pad=False), unit(32, 64, 3),           # (n, 64, 147, 147)
        nn.MaxPool2d(3, stride=2),                             # (n, 64, 73, 73)
        unit(64, 80, 1), unit(80, 192, 3, pad=False),          # (n, 192, 71, 71)
        nn.MaxPool2d(3, stride=2),                             # (n, 192, 35, 35)
    )  # fmt: skip
    fifth = named(
        b=small(192, pool=32),                                 # (n, 256, 35, 35)
        c=small(256, pool=64), d=small(288, pool=64),          # (n, 288, 35, 35)
    )  # fmt: skip
    sixth = named(
        a=shrink_5(288), b=crossed(768, inner=128),            # (n, 768, 17, 17)
        c=crossed(768, inner=160), d=crossed(768, inner=160),  # (n, 768, 17, 17)
        e=crossed(768, inner=192),                             # (n, 768, 17, 17)
    )  # fmt: skip
    seventh = named(
        a=shrink_6(768),                                       # (n, 1280, 8, 8)
        b=spread(1280), c=spread(2048),                        # (n, 2048, 8, 8)
    )  # fmt: skip
    return he(
        Inception(
            stem,
            nn.Sequential(fifth, sixth, seventh),
            nn.AdaptiveAvgPool2d(1),
            nn.Sequential(nn.Dropout(dropout), nn.Linear(2048, classes)),
            aux={"e": auxiliary(768, classes)} if aux else {},
        )
    )


TORCHVISION: Renames = (
    (r"\.bn\.", ".norm."),
    (r"^Conv2d_1a_3x3\.", "stem.0."),
    (r"^Conv2d_2a_3x3\.", "stem.1."),
    (r"^Conv2d_2b_3x3\.", "stem.2."),
    (r"^Conv2d_3b_1x1\.", "stem.4."),
    (r"^Conv2d_4a_3x3\.", "stem.5."),
    (r"^Mixed_5", "stages.0."),
    (r"^Mixed_6", "stages.1."),
    (r"^Mixed_7", "stages.2."),
    (r"\.branch1x1\.", ".one."),
    (r"\.branch_pool\.", ".pool.1."),
    (r"\.branch(3x3|7x7)dbl_", ".deep_"),
    (r"\.branch7x7(x3)?_", ".seven_"),
    (r"\.branch5x5_", ".five_"),
    (r"\.branch3x3(_|\.)", r".three\1"),
    (r"(_\d)a\.", r"\1.row."),
    (r"(_\d)b\.", r"\1.column."),
    *((rf"_{n + 1}\.", f".{n}.") for n in range(5)),  # they count a branch's layers from one, we from zero
    (r"^AuxLogits\.conv0\.", "aux.e.1."),
    (r"^AuxLogits\.conv1\.", "aux.e.2."),
    (r"^AuxLogits\.fc\.", "aux.e.5."),
    (r"^fc\.", "head.1."),
)

VARIANTS = (
    Variant(
        "inception_v3",
        inception_v3,
        size=299,
        least=75,
        source="Szegedy et al. 2015, arXiv:1512.00567",
        renames={"torchvision": TORCHVISION},
    ),
)

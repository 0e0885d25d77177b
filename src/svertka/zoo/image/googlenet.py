"""GoogLeNet: at every depth several window sizes look at the same maps, side by side.

Szegedy et al. 2014, arXiv:1409.4842, table 1, in the form that published weights have (torchvision's),
which departs from the paper in three ways:
- every convolution has batch norm, and there is no response normalization;
- the branch that the paper calls 5 x 5 has a 3 x 3 window: an old slip that the trained weights keep;
- the auxiliary heads average to 4 x 4, whatever the input size.

The two auxiliary heads, after 4a and 4d, push gradient into the middle during training (the paper adds
their losses with weight 0.3). `outputs` gives them; `aux=False` leaves them out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svertka.blocks import NET, Net, saved_as
from svertka.blocks.sequence import named
from svertka.zoo.initialization import he
from svertka.zoo.registry import Variant


@saved_as("inception.Branches")
class Branches(nn.Module):
    """Several views of the same maps, one behind another."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, sum of the branches' channels, h', w')."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


@saved_as("inception.Inception", keeps=NET)
class Inception(Net):
    """A Net with auxiliary heads on blocks of its middle stage; `aux` holds them by the blocks' names."""

    def __init__(
        self,
        stem: nn.Module,
        stages: nn.Sequential,
        pool: nn.Module,
        head: nn.Module,
        aux: dict[str, nn.Module],
    ) -> None:
        super().__init__(stem, stages, pool, head)
        self.aux = nn.ModuleDict(aux)

    def outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits, and in training those of the auxiliary heads in order of depth: each (n, classes)."""
        if not (self.training and self.aux):
            return (self(x),)
        self.check(x.shape[2:])
        first, middle, last = self.stages
        y = first(self.stem(x))
        aside = []
        for name, block in middle.named_children():
            y = block(y)
            if name in self.aux:
                aside.append(self.aux[name](y))
        return (self.head(self.pool(last(y)).flatten(1)), *aside)


def unit(
    width_in: int, width: int, kernel: int | tuple[int, int], stride: int = 1, *, pad: bool = True
) -> nn.Sequential:
    """Convolution, norm, ReLU; padded, unless `pad` is false, so that only the stride changes the size."""
    height, breadth = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, breadth // 2) if pad else 0
    return named(
        conv=nn.Conv2d(width_in, width, kernel, stride, padding, bias=False),
        norm=nn.BatchNorm2d(width, eps=0.001),
        relu=nn.ReLU(),
    )


def mixed(width: int, one: int, three_in: int, three: int, five_in: int, five: int, pool: int) -> Branches:
    """Figure 2b: three window sizes and a pooling, the wide ones behind a 1 x 1 that saves work."""
    return Branches(
        one=unit(width, one, 1),
        three=nn.Sequential(unit(width, three_in, 1), unit(three_in, three, 3)),
        five=nn.Sequential(unit(width, five_in, 1), unit(five_in, five, 3)),
        pool=nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), unit(width, pool, 1)),
    )


def auxiliary(width: int, classes: int) -> nn.Sequential:
    """A small classifier on maps of the middle: (n, width, h, w) -> (n, classes)."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(4), unit(width, 128, 1), nn.Flatten(),      # (n, 2048)
        nn.Linear(128 * 4 * 4, 1024), nn.ReLU(), nn.Dropout(0.7),        # (n, 1024)
        nn.Linear(1024, classes),                                        # (n, classes)
    )  # fmt: skip


def googlenet(*, classes: int, channels: int, aux: bool = True, dropout: float = 0.2) -> Net:
    """GoogLeNet; shapes are those of a 224 x 224 input."""
    stem = nn.Sequential(
        unit(channels, 64, 7, stride=2),                    # (n, 64, 112, 112)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),          # (n, 64, 56, 56)
        unit(64, 64, 1), unit(64, 192, 3),                  # (n, 192, 56, 56)
        nn.MaxPool2d(3, stride=2, ceil_mode=True),          # (n, 192, 28, 28)
    )  # fmt: skip
    third = named(
        #        in  1x1  ---3x3--  --5x5--  pool
        a=mixed(192,  64,  96, 128, 16,  32,  32),          # (n, 256, 28, 28)
        b=mixed(256, 128, 128, 192, 32,  96,  64),          # (n, 480, 28, 28)
    )  # fmt: skip
    fourth = named(
        pool=nn.MaxPool2d(3, stride=2, ceil_mode=True),     # (n, 480, 14, 14)
        a=mixed(480, 192,  96, 208, 16,  48,  64),          # (n, 512, 14, 14)
        b=mixed(512, 160, 112, 224, 24,  64,  64),          # (n, 512, 14, 14)
        c=mixed(512, 128, 128, 256, 24,  64,  64),          # (n, 512, 14, 14)
        d=mixed(512, 112, 144, 288, 32,  64,  64),          # (n, 528, 14, 14)
        e=mixed(528, 256, 160, 320, 32, 128, 128),          # (n, 832, 14, 14)
    )  # fmt: skip
    fifth = named(
        pool=nn.MaxPool2d(2, stride=2, ceil_mode=True),     # (n, 832, 7, 7)
        a=mixed(832, 256, 160, 320, 32, 128, 128),          # (n, 832, 7, 7)
        b=mixed(832, 384, 192, 384, 48, 128, 128),          # (n, 1024, 7, 7)
    )  # fmt: skip
    return he(
        Inception(
            stem,
            nn.Sequential(third, fourth, fifth),
            nn.AdaptiveAvgPool2d(1),
            nn.Sequential(nn.Dropout(dropout), nn.Linear(1024, classes)),
            aux={"a": auxiliary(512, classes), "d": auxiliary(528, classes)} if aux else {},
        )
    )


TORCHVISION = (
    (r"\.bn\.", ".norm."),
    (r"^conv1\.", "stem.0."),
    (r"^conv2\.", "stem.2."),
    (r"^conv3\.", "stem.3."),
    (r"^inception3", "stages.0."),
    (r"^inception4", "stages.1."),
    (r"^inception5", "stages.2."),
    (r"\.branch1\.", ".one."),
    (r"\.branch2\.", ".three."),
    (r"\.branch3\.", ".five."),
    (r"\.branch4\.", ".pool."),
    (r"^aux1\.", "aux.a."),
    (r"^aux2\.", "aux.d."),
    (r"^aux\.(.)\.conv\.", r"aux.\1.1."),
    (r"^aux\.(.)\.fc1\.", r"aux.\1.3."),
    (r"^aux\.(.)\.fc2\.", r"aux.\1.6."),
    (r"^fc\.", "head.1."),
)

VARIANTS = (
    Variant(
        "googlenet",
        googlenet,
        size=224,
        least=15,
        source="Szegedy et al. 2014, arXiv:1409.4842",
        renames={"torchvision": TORCHVISION},
    ),
)

"""ResNet: a block adds its input to its output, so a deeper network can at least copy a shallower one.

He et al. 2015, arXiv:1512.03385; ResNeXt (Xie et al. 2016, arXiv:1611.05431) splits the 3x3 convolution into
groups; wide ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146) gives it more channels. Notable choices:
- the stride sits on the 3x3 convolution, not on the first 1x1 ("v1.5"), as in torchvision's checkpoints;
- the last norm of a block starts at zero (Goyal et al. 2017, arXiv:1706.02677), so a fresh block is the
  identity; `zero_last=False` starts it at one, as in 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch import Tensor, nn

from svertka.blocks import ConvNorm, Net, he_normal, saved_as
from svertka.zoo.registry import Renames, Variant

Shortcut = Callable[[int, int, int], nn.Module]  # (c_in, c_out, stride) -> how the input goes around a block


def projection(c_in: int, c_out: int, stride: int) -> nn.Module:
    """The input itself where the shape stays, else a 1x1 convolution and norm (option B of the paper)."""
    same = c_in == c_out and stride == 1
    return nn.Identity() if same else ConvNorm(c_in, c_out, 1, stride, act=None)


class Block(nn.Module):
    """relu(F(x) + x), as equation 1 of the paper: (n, c_in, h, w) -> (n, c_out, h/stride, w/stride)."""

    def __init__(self, body: nn.Sequential, skip: nn.Module, zero_last: bool) -> None:
        super().__init__()
        self.body, self.skip = body, skip
        self.relu = nn.ReLU(inplace=True)
        if zero_last:
            nn.init.zeros_(cast(ConvNorm, body[-1]).norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y: Tensor = self.relu(self.body(x).add_(self.skip(x)))  # in place, without a pass over new memory
        return y


@saved_as("resnet.Basic")
class Basic(Block):
    """Two 3x3 convolutions (figure 5, left)."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, shortcut: Shortcut = projection, zero_last: bool = True
    ) -> None:
        body = nn.Sequential(
            ConvNorm(c_in, c_out, 3, stride),  # (n, c_out, h/stride, w/stride)
            ConvNorm(c_out, c_out, 3, act=None),
        )
        super().__init__(body, shortcut(c_in, c_out, stride), zero_last)


@saved_as("resnet.Bottleneck")
class Bottleneck(Block):
    """Narrow by 1x1, look around by 3x3, widen by 1x1 (figure 5, right)."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, widen: int = 1, groups: int = 1, zero_last: bool = True
    ) -> None:
        inner = c_out // 4 * widen
        body = nn.Sequential(
            ConvNorm(c_in, inner, 1),  # (n, inner, h, w)
            ConvNorm(inner, inner, 3, stride, groups=groups),  # (n, inner, h/stride, w/stride)
            ConvNorm(inner, c_out, 1, act=None),  # (n, c_out, h/stride, w/stride)
        )
        super().__init__(body, projection(c_in, c_out, stride), zero_last)


@dataclass(frozen=True, slots=True)
class Plan:
    """One column of table 1: the block, its channels over 64, 128, 256, 512, and blocks per stage."""

    block: Callable[..., Block]
    expansion: int
    depths: tuple[int, int, int, int]


PLANS = {
    "resnet18": Plan(Basic, 1, (2, 2, 2, 2)),
    "resnet34": Plan(Basic, 1, (3, 4, 6, 3)),
    "resnet50": Plan(Bottleneck, 4, (3, 4, 6, 3)),
    "resnet101": Plan(Bottleneck, 4, (3, 4, 23, 3)),
    "resnet152": Plan(Bottleneck, 4, (3, 8, 36, 3)),
    "resnext50_32x4d": Plan(partial(Bottleneck, widen=2, groups=32), 4, (3, 4, 6, 3)),
    "resnext101_32x8d": Plan(partial(Bottleneck, widen=4, groups=32), 4, (3, 4, 23, 3)),
    "resnext101_64x4d": Plan(partial(Bottleneck, widen=4, groups=64), 4, (3, 4, 23, 3)),
    "wide_resnet50_2": Plan(partial(Bottleneck, widen=2), 4, (3, 4, 6, 3)),
    "wide_resnet101_2": Plan(partial(Bottleneck, widen=2), 4, (3, 4, 23, 3)),
}


def stage(block: Callable[..., Block], c_in: int, c_out: int, depth: int, stride: int) -> nn.Sequential:
    """Blocks at one resolution; the first brings the input there."""
    first = block(c_in, c_out, stride)
    return nn.Sequential(first, *(block(c_out, c_out, 1) for _ in range(depth - 1)))


def resnet(plan: Plan, *, classes: int = 1000, channels: int = 3, zero_last: bool = True) -> Net:
    """A ResNet: (n, channels, h, w) -> (n, classes).

    Args:
        plan: one of PLANS.
        classes: outputs.
        channels: input channels.
        zero_last: start every block as the identity.
    """
    block = partial(plan.block, zero_last=zero_last)
    a, b, c, d = (base * plan.expansion for base in (64, 128, 256, 512))
    depths = plan.depths

    stem = ConvNorm(channels, 64, 7, 2)  # (n, 64, h/2, w/2)
    stem.append(nn.MaxPool2d(3, stride=2, padding=1))  # (n, 64, h/4, w/4)
    stages = nn.Sequential(
        stage(block, 64, a, depths[0], stride=1),  # (n, a, h/4, w/4)
        stage(block, a, b, depths[1], stride=2),  # (n, b, h/8, w/8)
        stage(block, b, c, depths[2], stride=2),  # (n, c, h/16, w/16)
        stage(block, c, d, depths[3], stride=2),  # (n, d, h/32, w/32)
    )
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=nn.Linear(d, classes))
    he_normal(net)
    return net


TORCHVISION: Renames = (
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.norm."),
    *((rf"^layer{i + 1}\.", f"stages.{i}.") for i in range(4)),
    *((rf"\.conv{i + 1}\.", f".body.{i}.conv.") for i in range(3)),
    *((rf"\.bn{i + 1}\.", f".body.{i}.norm.") for i in range(3)),
    (r"\.downsample\.0\.", ".skip.conv."),
    (r"\.downsample\.1\.", ".skip.norm."),
    (r"^fc\.", "head."),
)

SOURCES = {
    "resnet": "He et al. 2015, arXiv:1512.03385",
    "resnext": "Xie et al. 2016, arXiv:1611.05431",
    "wide_resnet": "Zagoruyko and Komodakis 2016, arXiv:1605.07146",
}

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(resnet, plan),
        size=224,
        least=1,
        source=SOURCES[name.rstrip("0123456789xd_")],
        renames={"torchvision": TORCHVISION},
    )
    for name, plan in PLANS.items()
)

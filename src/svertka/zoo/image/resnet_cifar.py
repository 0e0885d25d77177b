"""ResNet for CIFAR-10: small pictures, three stages, 6n + 2 layers, very few weights.

He et al. 2015, arXiv:1512.03385, section 4.2. Notable choices:
- where a block changes the shape, its input goes around by option A: every second pixel, and zeros as the new
  channels, half of them before and half behind; so the shortcuts have no weights;
- the last norm of a block starts at zero, as in svertka.zoo.image.resnet.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks import ConvNorm, Net, he_normal, saved_as
from svertka.zoo.image.resnet import Basic, stage
from svertka.zoo.registry import Renames, Variant

DEPTHS = (20, 32, 44, 56, 110)


@saved_as("resnet.Subsample", keeps=("stride", "pad"))
class Subsample(nn.Module):
    """Every `stride`-th pixel, zeros as new channels: (n, c_in, h, w) -> (n, c_out, h/stride, w/stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        before = (c_out - c_in) // 2
        self.pad = (before, c_out - c_in - before)

    def forward(self, x: Tensor) -> Tensor:
        """Subsample and pad."""
        x = x[:, :, :: self.stride, :: self.stride]  # (n, c_in, h/stride, w/stride)
        return F.pad(x, (0, 0, 0, 0, *self.pad))  # (n, c_out, h/stride, w/stride)

    def extra_repr(self) -> str:
        """Stride and new channels."""
        return f"stride={self.stride}, pad={self.pad}"


def option_a(c_in: int, c_out: int, stride: int) -> nn.Module:
    """The input itself where the shape stays, else its pixels without any weights."""
    same = c_in == c_out and stride == 1
    return nn.Identity() if same else Subsample(c_in, c_out, stride)


def resnet_cifar(depth: int, *, classes: int = 10, channels: int = 3, zero_last: bool = True) -> Net:
    """A ResNet for small pictures: (n, channels, h, w) -> (n, classes).

    Args:
        depth: layers with weights, 6n + 2; one of DEPTHS in the paper.
        classes: outputs.
        channels: input channels.
        zero_last: start every block as the identity.
    """
    n = (depth - 2) // 6
    block = partial(Basic, shortcut=option_a, zero_last=zero_last)
    stages = nn.Sequential(
        stage(block, 16, 16, n, stride=1),  # (n, 16, h, w)
        stage(block, 16, 32, n, stride=2),  # (n, 32, h/2, w/2)
        stage(block, 32, 64, n, stride=2),  # (n, 64, h/4, w/4)
    )
    net = Net(ConvNorm(channels, 16, 3), stages, pool=nn.AdaptiveAvgPool2d(1), head=nn.Linear(64, classes))
    he_normal(net)
    return net


# github.com/akamaster/pytorch_resnet_cifar10; DataParallel has put "module." before the names in its files.
AKAMASTER: Renames = (
    (r"^module\.", ""),
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.norm."),
    *((rf"^layer{i + 1}\.", f"stages.{i}.") for i in range(3)),
    *((rf"\.conv{i + 1}\.", f".body.{i}.conv.") for i in range(2)),
    *((rf"\.bn{i + 1}\.", f".body.{i}.norm.") for i in range(2)),
    (r"^linear\.", "head."),
)

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        f"resnet{depth}",
        partial(resnet_cifar, depth),
        size=32,
        least=1,
        classes=10,
        source="He et al. 2015, arXiv:1512.03385, section 4.2",
        renames={"akamaster": AKAMASTER},
    )
    for depth in DEPTHS
)

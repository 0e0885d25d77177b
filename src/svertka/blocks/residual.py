"""What residual networks share: the mobile block, stochastic depth, He's start, rounding of widths."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from svertka.blocks.conv import ConvNorm
from svertka.blocks.saved import saved_as


@saved_as("InvertedResidual", keeps=("residual",))
class InvertedResidual(nn.Module):
    """Widen, look around in each channel, narrow; around it the input: (n, c_in, h, w) -> (n, c_out, h', w').

    Sandler et al. 2018, arXiv:1801.04381, figure 3b; with `excite` also the block of MobileNet v3 and of
    EfficientNet. The narrow ends have no activation. Nothing is widened where `hidden` equals `c_in`.

    Args:
        c_in: channels that come in.
        hidden: channels inside.
        c_out: channels that go out.
        kernel: side of the depthwise kernel, odd.
        stride: step of the depthwise convolution; the input goes around only where the shape stays.
        act: the activation's class.
        excite: what weighs the channels between depthwise and projection.
        drop: the share of samples whose block is skipped in training.
        conv: makes a ConvNorm; carries the padding and the norm's constants of the network.
    """

    def __init__(
        self,
        c_in: int,
        hidden: int,
        c_out: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        act: type[nn.Module] = nn.ReLU6,
        excite: nn.Module | None = None,
        drop: float = 0.0,
        conv: Callable[..., nn.Module] = ConvNorm,
    ) -> None:
        super().__init__()
        self.expand = conv(c_in, hidden, 1, act=act) if hidden != c_in else nn.Identity()
        self.depthwise = conv(hidden, hidden, kernel, stride, groups=hidden, act=act)
        self.excite = excite or nn.Identity()
        self.project = conv(hidden, c_out, 1, act=None)
        self.drop = StochasticDepth(drop) if drop else nn.Identity()
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y: Tensor = self.expand(x)  # (n, hidden, h, w)
        y = self.excite(self.depthwise(y))  # (n, hidden, h', w')
        y = self.project(y)  # (n, c_out, h', w')
        if self.residual:
            y = self.drop(y).add_(x)  # in place, without a pass over new memory
        return y


@saved_as("StochasticDepth", keeps=None)
class StochasticDepth(nn.Module):
    """In training, a share `rate` of the samples becomes 0, the others grow to match: (n, ...) -> (n, ...).

    Huang et al. 2016, arXiv:1603.09382: at the end of a residual branch it makes a network of random depth.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop whole samples."""
        if not self.training:
            return x
        stays = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.rate  # (n, 1, ...)
        return x * (stays / (1 - self.rate))

    def extra_repr(self) -> str:
        """The rate."""
        return f"rate={self.rate:.3g}"


def he_normal(net: nn.Module) -> None:
    """Draw all convolutions from N(0, 2 / fan_out), so that gradients keep their size on the way back.

    He et al. 2015, arXiv:1502.01852, equation 14; a weight's fan is the outputs of its own group.
    Biases start at 0.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels // module.groups * module.weight[0, 0].numel()
            nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def round_width(channels: float, by: int = 8) -> int:
    """The multiple of `by` nearest to a width, at least `by` and never below nine tenths of the width.

    As in TensorFlow's MobileNets, whose published weights have these widths.

    >>> round_width(0.35 * 32), round_width(0.35 * 96), round_width(1.4 * 32)
    (16, 32, 48)
    """
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded

"""Convolution, batch norm, activation: the brick of every network since 2015.

Two notable choices:
- Activations, and the sums of residual blocks, work in place: that saves a pass over new memory. Whoever
  keeps what a norm puts out (in a hook, say) must copy it.
- Padding is "symmetric", k // 2 on every side, as in PyTorch's checkpoints, or "tensorflow", which for a
  stride above one pads the right and the bottom more than the left and the top. The sizes are the same, the
  pixels are not: weights that were trained with the one lose a point or two with the other.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.saved import saved_as
from svertka.errors import UnknownName

PADDINGS = ("symmetric", "tensorflow")


@saved_as("ConvNorm")
class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, activation.

    Shapes: (n, c_in, h, w) -> (n, c_out, ceil(h/stride), ceil(w/stride)).

    Args:
        c_in: channels that come in.
        c_out: channels that go out.
        kernel: side of the kernel, odd.
        stride: step of the kernel.
        groups: 1 mixes all channels; c_in keeps each to itself (a depthwise convolution).
        act: the activation's class, called with `inplace=True`; None leaves it out.
        eps: what batch norm adds to the variance.
        padding: one of PADDINGS.

    Raises:
        UnknownName: there is no such padding.
    """

    norm: nn.BatchNorm2d

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        act: type[nn.Module] | None = nn.ReLU,
        eps: float = 1e-5,
        padding: str = "symmetric",
    ) -> None:
        if padding not in PADDINGS:
            raise UnknownName("padding", padding, PADDINGS)
        if padding == "tensorflow" and stride > 1:
            conv: nn.Conv2d = TensorflowConv(c_in, c_out, kernel, stride, groups=groups, bias=False)
        else:
            conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, norm=nn.BatchNorm2d(c_out, eps))
        if act is not None:
            parts["act"] = act(inplace=True)
        super().__init__(parts)


@saved_as("TensorflowConv", keeps=None)
class TensorflowConv(nn.Conv2d):
    """A strided convolution padded as TensorFlow's "SAME".

    As little as makes the output ceil(size / stride); of an odd number the larger half comes last.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, ceil(h/stride), ceil(w/stride))."""
        top, bottom = self._pad(x.shape[2], 0)
        left, right = self._pad(x.shape[3], 1)
        return super().forward(F.pad(x, (left, right, top, bottom)))

    def _pad(self, size: int, axis: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        pad = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
        return pad // 2, pad - pad // 2


@saved_as("SqueezeExcite")
class SqueezeExcite(nn.Module):
    """Every channel times a number in 0..1 that all channels decide together: (n, c, h, w) -> (n, c, h, w).

    Hu et al. 2017, arXiv:1709.01507. `narrow` is the width of the bottleneck between squeeze and excitation.
    """

    def __init__(
        self, channels: int, narrow: int, act: type[nn.Module] = nn.ReLU, gate: type[nn.Module] = nn.Sigmoid
    ) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, narrow, 1)
        self.act = act()
        self.restore = nn.Conv2d(narrow, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the channels."""
        y = self.squeeze(x)  # (n, c, 1, 1)
        y = self.act(self.reduce(y))  # (n, narrow, 1, 1)
        y = self.gate(self.restore(y))  # (n, c, 1, 1)
        weighted: Tensor = x * y
        return weighted

"""Convolution and activation in one call of oneDNN, with the kernel laid out beforehand: half the passes over memory.

These are the calls that PyTorch's own compiler makes for a CPU, without the compiler, which takes seconds to warm up.
They are no public interface, so `fusable` asks whether this PyTorch has them, and whoever fuses compares the outcome
with the original (see `folding.quick`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.conv import TensorflowConv

# What oneDNN appends to a convolution: its name for it, and its numbers.
APPENDED: Mapping[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.Hardswish: ("hardswish", []),
    nn.SiLU: ("swish", []),
}


def fusable(conv: nn.Module) -> bool:
    """Whether a module is a convolution that this PyTorch and this processor can fuse."""
    return (
        isinstance(conv, nn.Conv2d)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and conv.weight.dtype == torch.float32
        and conv.weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight"))
    )


class FusedConv(nn.Module):
    """A convolution for inference with what follows it: (n, c, h, w) -> (n, c', h', w'), channels-last.

    Args:
        conv: left as it is.
        act: a type of APPENDED; None leaves it out.
        size: (h, w) of the input, for which TensorFlow's padding is worked out.
    """

    def __init__(self, conv: nn.Conv2d, act: type[nn.Module] | None, size: tuple[int, int]) -> None:
        super().__init__()
        weight, padding = conv.weight.detach(), conv.padding
        if isinstance(conv, TensorflowConv):
            weight, padding = _symmetric(conv, size)
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.places = (list(padding), conv.stride, conv.dilation, conv.groups)
        self.appended = APPENDED[act] if act else ("none", [])
        shape = [8, conv.in_channels, *size]  # a hint for the layout: any number of pictures goes through
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.places, shape)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', h', w')."""
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.places, *self.appended, "")
        return y


def _symmetric(conv: TensorflowConv, size: tuple[int, int]) -> tuple[Tensor, tuple[int, ...]]:
    """The same convolution padded alike on both sides: its kernel gets rows and columns of zeros in front."""
    pads = [conv._pad(side, axis) for axis, side in enumerate(size)]  # (before, after) of each axis
    (top, bottom), (left, right) = pads
    padding = (max(top, bottom), max(left, right))
    return F.pad(conv.weight.detach(), (padding[1] - left, 0, padding[0] - top, 0)), padding

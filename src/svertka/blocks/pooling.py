"""The two poolings that torch.nn does not have, from those that it has, for maps with one axis or two."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.saved import saved_as

Sides = int | tuple[int, ...]
POOL = ("axes", "kernel_size", "stride", "padding", "ceil_mode")


class _Pool(nn.Module):
    """What poolings have in common: torch's names for how a window moves."""

    def __init__(self, axes: int, kernel: Sides, stride: Sides, padding: Sides = 0, ceil_mode: bool = False) -> None:
        super().__init__()
        self.axes, self.kernel_size, self.stride, self.padding = axes, kernel, stride, padding
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """The numbers in brackets when the module is printed."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


@saved_as("MinPool", keeps=POOL)
class MinPool(_Pool):
    """The smallest number under each window: the negative of the largest negative."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, c, *size')."""
        pool = F.max_pool1d if self.axes == 1 else F.max_pool2d
        y: Tensor = pool(-x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode)
        return -y


@saved_as("SumPool", keeps=POOL)
class SumPool(_Pool):
    """The sum under each window, padding counted as zeros; one axis is pooled as a picture of height 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, c, *size')."""
        kernel, stride, padding = self.kernel_size, self.stride, self.padding
        if self.axes == 1:
            x = x.unsqueeze(2)
            kernel, stride, padding = (1, *_sides(kernel)), (1, *_sides(stride)), (0, *_sides(padding))
        y = F.avg_pool2d(x, kernel, stride, padding, self.ceil_mode, divisor_override=1)
        return y.squeeze(2) if self.axes == 1 else y


def _sides(side: Sides) -> tuple[int, ...]:
    return (side,) if isinstance(side, int) else side

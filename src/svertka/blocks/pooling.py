"""The two poolings that torch.nn does not have, from those that it has, for maps with one axis or two."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

Sides = int | tuple[int, ...]


class MinPool(nn.Module):
    """The smallest number under each window: the negative of the largest negative."""

    def __init__(
        self, axes: int, kernel: Sides, stride: Sides, padding: Sides = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        pool = nn.MaxPool1d if axes == 1 else nn.MaxPool2d
        self.negated = pool(kernel, stride, padding, ceil_mode=ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, c, *size')."""
        y: Tensor = -self.negated(-x)
        return y


class SumPool(nn.Module):
    """The sum under each window, padding counted as zeros; one axis is pooled as a picture of height 1."""

    def __init__(
        self, axes: int, kernel: Sides, stride: Sides, padding: Sides = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.axes, self.ceil_mode = axes, ceil_mode
        self.kernel, self.stride, self.padding = (
            (fill, *([sides] if isinstance(sides, int) else sides)) if axes == 1 else sides
            for fill, sides in ((1, kernel), (1, stride), (0, padding))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, c, *size')."""
        picture = x.unsqueeze(2) if self.axes == 1 else x
        y = F.avg_pool2d(picture, self.kernel, self.stride, self.padding, self.ceil_mode, divisor_override=1)
        return y.squeeze(2) if self.axes == 1 else y

    def extra_repr(self) -> str:
        """The numbers in brackets when the module is printed."""
        return f"kernel_size={self.kernel}, stride={self.stride}, padding={self.padding}"

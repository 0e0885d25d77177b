"""The last stages of a network side by side: what it sees in parts of a picture, beside what it sees in the whole.

The last stage knows the classes that a network was taught, those before it textures and parts, which other pictures
share (Hariharan et al. 2015, arXiv:1411.5752, call such a column of maps a hypercolumn). Notable choices:
- all maps are brought to the coarsest grid, each place the exact mean of the area it covers: so a global average of
  them is the averages of the stages one after the other, and whoever explains the network sees all that its head sees;
- stages keep their names and their order: freezing, unfreezing and rates by depth know no difference.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from svertka.blocks.ensemble import resized
from svertka.blocks.net import Net
from svertka.blocks.saved import saved_as
from svertka.errors import UsageError


@saved_as("LastStages", keeps=("last",))
class LastStages(nn.Sequential):
    """Stages that give the maps of the last few of them: (n, c, h, w) -> (n, sum of their channels, h', w').

    Args:
        stages: as `nn.Sequential` takes them.
        last: how many of them give their maps, 1 or more.

    Attributes:
        pooled: gives the averages alone, (n, sum of channels, 1, 1): quicker, where nobody asks for places.
    """

    last: int
    pooled = False

    def __init__(self, *stages: Any, last: int = 1) -> None:
        super().__init__(*stages)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, sum of channels, h', w'), the size of the smallest maps."""
        kept: list[Tensor] = []
        for number, stage in enumerate(self, 1):
            x = stage(x)
            if number <= len(self) - self.last:
                continue
            kept.append(x.mean((2, 3), keepdim=True) if self.pooled else x)
            if number < len(self) and not self.pooled:
                x = x.clone()  # what comes next may work in place, or be joined with what it takes for its own input
        height, width = (min(maps.shape[axis] for maps in kept) for axis in (2, 3))
        return torch.cat([resized(maps, height, width) for maps in kept], dim=1)

    def extra_repr(self) -> str:
        """How many give their maps, for `print`."""
        return f"last={self.last}"


def put_stages(net: Net, last: int) -> Net:
    """Let the head of a network see its last stages, in place, each averaged over its places; 1 is the last one alone.

    Any other pool gives way to the average; the head that the network has no longer fits.

    Raises:
        UsageError: it has fewer stages.
    """
    names = [f"stages.{name}" for name, _ in net.stages.named_children()]
    if not 1 <= last <= len(names):
        raise UsageError(
            f"stages={last} does not go with {net.name}, whose stages are {', '.join(names)}: it takes 1"
            + (f" to {len(names)}." if len(names) > 1 else ".")
        )
    held = OrderedDict(net.stages.named_children())
    net.stages = LastStages(held, last=last) if last > 1 else nn.Sequential(held)
    net.pool = nn.AdaptiveAvgPool2d(1)
    if net.made_pool is not None:
        net.made_pool = None
    return net


def stages_seen(net: Net) -> int:
    """How many of its last stages the pool of a network sees."""
    return net.stages.last if isinstance(net.stages, LastStages) else 1

"""The silhouette that every network here has: stem, stages, pool, head.

Transfer replaces the head, explanation watches the last stage, the lab lists the stages; no tool needs a
case for any network. A family may override `features` or `forward` as long as the four parts are what
their names say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from svertka.blocks.saved import saved_as
from svertka.errors import ShapeError

NET = ("name", "least", "built_for")  # what a saved network keeps beside its parts


@saved_as("Net", keeps=NET)
class Net(nn.Module):
    """A classifier in four parts.

    stem    the first layers, from input channels to the width of the first stage
    stages  an `nn.Sequential`; each stage works at one resolution (or one width)
    pool    from the last feature maps to one vector (global pooling, or flatten)
    head    from that vector to the logits; its last `nn.Linear` (or 1x1 convolution) has one output per class

    Attributes:
        name: what errors call it.
        least: the least side of the input that works.
        options: what it was built with beyond classes and channels, so that it can be built again.
        built_for: the sizes that the network is bound to, an axis each, None where an axis is free.
        made_head: which of `blocks.HEADS` has taken the place of its own head, and with what sizes.
        made_pool: the sizes of the NetVLAD that has taken the place of its own pool.
    """

    name: str = "this network"
    least: int = 1
    options: Mapping[str, Any] = MappingProxyType({})
    built_for: tuple[int | None, ...] = ()
    made_head: Mapping[str, Any] | None = None
    made_pool: Mapping[str, Any] | None = None
    stem: nn.Module
    stages: nn.Sequential
    pool: nn.Module
    head: nn.Module

    def __init__(self, stem: nn.Module, stages: nn.Sequential, pool: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem, self.stages, self.pool, self.head = stem, stages, pool, head

    def check(self, size: Sequence[int]) -> None:
        """Refuse an input of a size that cannot pass; every `features` begins with it.

        Raises:
            ShapeError: a side is below `least`, or not what the network was built for.
        """
        met = "x".join(map(str, size))
        if any(side < self.least for side in size):
            raise ShapeError(f"{self.name} takes inputs of {self.least} or more along each side, not {met}.")
        if any(fixed not in (None, side) for side, fixed in zip(size[::-1], self.built_for[::-1], strict=False)):
            sizes = "x".join("any" if fixed is None else str(fixed) for fixed in self.built_for)
            raise ShapeError(f"{self.name} was built for inputs of {sizes}, not {met}.")

    def features(self, x: Tensor) -> Tensor:
        """The last feature maps: (n, channels, *size) -> (n, c, *size').

        Raises:
            ShapeError: see `check`.
        """
        self.check(x.shape[2:])
        y: Tensor = self.stages(self.stem(x))
        return y

    def embed(self, x: Tensor) -> Tensor:
        """What the head sees: (n, channels, *size) -> (n, d)."""
        y: Tensor = self.pool(self.features(x))
        return y.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits: (n, channels, *size) -> (n, classes)."""
        y: Tensor = self.head(self.embed(x))
        return y

    def outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """The logits and, in training, behind them those of auxiliary heads where a network has any."""
        return (self(x),)

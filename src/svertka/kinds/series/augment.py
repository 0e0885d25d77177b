"""Augmentation of series: float32 (n, length, channels) -> the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svertka.common.counter_rng import Stream, stream, uniform
from svertka.common.lazy import LazyModule
from svertka.kinds import base
from svertka.kinds.base import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")


@dataclass(frozen=True, repr=False)
class Augment(base.Augment):
    """How training series are varied."""

    jitter: float = option(
        0.0, "add Gaussian noise of up to this share of a series' own deviation", 0, 10, strengths=(0.1, 0.3), turn=1,
        chosen=True, dear=True,
    )  # fmt: skip
    amplitude: float = option(
        0.0, "make training series larger or smaller by up to this share", 0, 0.95, strengths=(0.2,), turn=2,
        chosen=True,
    )  # fmt: skip
    lag: float = option(
        0.0, "move training series in time by up to this share of their length", strengths=(0.05, 0.1), turn=3,
        chosen=True,
    )  # fmt: skip

    def __call__(self, batch: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
        """Vary a batch: float32 (n, length, channels) -> the same."""
        if self.none or not len(batch):
            return batch

        def draw(name: str) -> Tensor:
            """One number of -1 to 1 a sample: (n, 1, 1)."""
            return uniform(seed, epoch, samples, stream(name))[:, None, None] * 2 - 1

        varied = batch
        if self.lag:
            varied = _moved(varied, (draw("lag")[:, 0] * self.lag * batch.shape[1]).round().long())
        if self.amplitude:
            varied = varied * (1 + draw("amplitude") * self.amplitude)
        if self.jitter:
            strength = draw("jitter").abs() * self.jitter * batch.std(1, keepdim=True, correction=0)  # (n, 1, channels)
            varied = varied + strength * _normal(batch, samples, seed, epoch)
        changed = uniform(seed, epoch, samples, Stream.UNTOUCHED) >= self.untouched
        return torch.where(changed[:, None, None], varied, batch)


def _moved(batch: Tensor, lag: Tensor) -> Tensor:
    """Each series later by `lag` (n, 1) steps; what comes in from outside is the value at the edge."""
    length = batch.shape[1]
    places = (torch.arange(length, device=batch.device) - lag).clamp_(0, length - 1)  # (n, length)
    return batch.gather(1, places[..., None].expand_as(batch))


def _normal(batch: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
    """Normal numbers of each sample's own, (n, length, channels): Box and Muller 1958."""
    each = batch[0].numel()
    places = (samples[:, None] * each + torch.arange(each, device=samples.device)).view(-1)
    radius = torch.sqrt(-2 * torch.log1p(-uniform(seed, epoch, places, stream("jitter radius"))))
    angle = 2 * math.pi * uniform(seed, epoch, places, stream("jitter angle"))
    return (radius * torch.cos(angle)).view_as(batch)

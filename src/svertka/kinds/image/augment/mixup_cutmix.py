"""MixUp and CutMix: two training pictures become one, and the label becomes the share of each class.

Zhang et al. 2017, arXiv:1710.09412; Yun et al. 2019, arXiv:1905.04899. A sample's partner is any picture of the
training part, drawn by (seed, epoch, sample) alone and varied by random numbers of its own: not its neighbor in the
batch, so that batch size, order, workers and resuming change nothing here either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from svertka.common.counter_rng import Stream, uniform
from svertka.common.lazy import LazyModule
from svertka.kinds.base import Augment, option

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")  # the recipe knows the settings below before torch is there

POINTS = 4096  # of the table that turns an even random number into one from a Beta distribution


@dataclass(frozen=True, repr=False)
class Mixing(Augment):
    """Two pictures become one."""

    mixup: float = option(
        0.0, "blend pairs of pictures and labels, shares from Beta(this, this)", 0, 10, mixes=True, dear=True,
        strengths=(0.2,), turn=18,
    )  # fmt: skip
    cutmix: float = option(
        0.0, "paste a rectangle of another picture, shares from Beta(this, this)", 0, 10, mixes=True, dear=True,
        strengths=(1.0,), turn=17,
    )  # fmt: skip


def mix_pictures(
    how: Mixing, pixels: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor], samples: Tensor, seed: int, epoch: int
) -> tuple[Tensor, Tensor]:
    """Join pictures with their partners; where the recipe has both ways, half of the samples take each.

    Args:
        how: its `mixup`, `cutmix` and `untouched`.
        pixels: two batches uint8 (n, h, w, c), samples and partners.
        targets: their labels as shares of classes, float (n, classes).
        samples: (n,) the names of the rows for their random numbers.
        seed, epoch: as in `Augment`.

    Returns:
        pixels uint8 (n, h, w, c), and targets float (n, classes) with rows that sum to 1.
    """

    def draw(stream: int) -> Tensor:
        return uniform(seed, epoch, samples, stream)

    (mine, other), (n, h, w, _) = pixels, pixels[0].shape
    even = draw(Stream.MIX_SHARE)
    if how.mixup and how.cutmix:
        cut = draw(Stream.MIX_KIND) < 0.5
    else:
        cut = torch.full((n,), bool(how.cutmix), device=mine.device)
    share = torch.where(cut, beta(even, how.cutmix or 1.0), beta(even, how.mixup or 1.0))  # of one's own picture
    share = torch.where(draw(Stream.UNTOUCHED) >= how.untouched, share, torch.ones_like(share))
    hole = _rectangle(share, h, w, draw(Stream.MIX_DOWN), draw(Stream.MIX_RIGHT)) & cut[:, None, None]  # (n, h, w)
    share = torch.where(cut, 1 - hole.sum((1, 2)) / (h * w), share)
    s = share[:, None, None, None]
    blended = (mine * s + other * (1 - s)).round().to(torch.uint8)
    joined = torch.where(cut[:, None, None, None], torch.where(hole[..., None], other, mine), blended)
    return joined, targets[0] * share[:, None] + targets[1] * (1 - share[:, None])


def _rectangle(share: Tensor, h: int, w: int, down: Tensor, right: Tensor) -> Tensor:
    """A rectangle of 1 - share of the area in the form of the frame, its center anywhere, cut at the edges."""
    half = torch.sqrt(1 - share) / 2
    top, bottom = torch.floor((down - half) * h).clamp(min=0), torch.floor((down + half) * h).clamp(max=h)
    left, end = torch.floor((right - half) * w).clamp(min=0), torch.floor((right + half) * w).clamp(max=w)
    rows, cols = torch.arange(h, device=share.device), torch.arange(w, device=share.device)
    inside = (rows >= top[:, None]) & (rows < bottom[:, None])  # (n, h)
    return inside[:, :, None] & ((cols >= left[:, None]) & (cols < end[:, None]))[:, None, :]


def beta(even: Tensor, alpha: float) -> Tensor:
    """Numbers evenly in [0, 1) -> numbers from Beta(alpha, alpha), by its inverse distribution function."""
    table = _beta_table(alpha, str(even.device))  # rises from 0 to 1/2 as the distribution does
    below = torch.minimum(even, 1 - even)
    at = torch.searchsorted(table, below.double(), right=True).clamp(1, POINTS - 1)
    low, high = table[at - 1], table[at]
    power = min(alpha, 1.0)
    u = (at - 1 + (below - low) / (high - low)) * (0.5**power / (POINTS - 1))
    t = (u ** (1 / power)).float()
    return torch.where(even < 0.5, t, 1 - t)


@lru_cache(maxsize=8)
def _beta_table(alpha: float, device: str = "cpu") -> Tensor:
    """The distribution function from t = 0 to 1/2, at even distances of u = t^alpha (of t itself where alpha > 1).

    Below 1 the density t^(alpha-1) dt has a pole at 0; in u it is a constant.
    """
    power = min(alpha, 1.0)
    u = torch.linspace(0, 0.5**power, POINTS, dtype=torch.float64)
    density = u ** (alpha / power - 1) * (1 - u ** (1 / power)) ** (alpha - 1)
    table = torch.cat([u.new_zeros(1), torch.cumulative_trapezoid(density, u)])
    return (table / table[-1] / 2).to(device)

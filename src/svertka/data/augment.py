"""Augmentation of whole batches of pixels, each sample with its own random numbers.

All geometry is one resampling: whole-pixel shifts and mirrors are one gather of bytes; with rotation or scale in the
recipe they join one bilinear `grid_sample`. Whatever leaves the frame is continued by the nearest edge pixel.
Lecture 001 advises to leave a part of the pictures as they are: `untouched` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.data.random import uniform

Draw = Callable[[int], Tensor]  # a stream of random numbers by its number -> one in [0, 1) for each sample


@dataclass(frozen=True, slots=True)
class Augment:
    """How training pictures are varied; everything zero is no variation.

    flip        mirror half of the pictures left to right
    shift       up to this share of the side, both ways
    rotate      up to this many degrees, both ways
    scale       up to this share larger or smaller
    erase       a square of up to this share of the side becomes the picture's mean
    untouched   this share of the pictures stays as it is
    upend       mirror half of the pictures top to bottom
    """

    flip: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    erase: float = 0.0
    untouched: float = 0.0
    upend: bool = False

    @property
    def none(self) -> bool:
        """Whether pictures stay as they are."""
        return not (self.flip or self.upend or self.shift or self.rotate or self.scale or self.erase)

    def __call__(self, pixels: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
        """Vary a batch: uint8 (n, h, w, c) -> uint8 (n, h, w, c); `samples` (n,) names each row for its random numbers."""
        if self.none:
            return pixels

        def draw(stream: int) -> Tensor:
            return uniform(seed, epoch, samples, stream)

        changed = draw(0) >= self.untouched  # (n,)
        moves = _Moves(pixels.shape[1], pixels.shape[2], self, draw, changed)
        pixels = moves.resample(pixels) if self.rotate or self.scale else moves.gather(pixels)
        return _erase(pixels, self.erase, draw, changed) if self.erase else pixels


class _Moves:
    """One batch's geometry, drawn once and applied by a gather of pixels or by one resampling."""

    def __init__(self, h: int, w: int, how: Augment, draw: Draw, changed: Tensor) -> None:
        on = changed.float()
        self.h, self.w = h, w
        self.mirror = changed & (draw(1) < 0.5) if how.flip else torch.zeros_like(changed)
        self.upend = changed & (draw(9) < 0.5) if how.upend else torch.zeros_like(changed)
        self.down = torch.round((draw(2) * 2 - 1) * how.shift * h * on).long()  # whole pixels, (n,)
        self.right = torch.round((draw(3) * 2 - 1) * how.shift * w * on).long()
        self.turn = (draw(4) * 2 - 1) * math.radians(how.rotate) * on
        self.zoom = 1 + (draw(5) * 2 - 1) * how.scale * on

    def gather(self, pixels: Tensor) -> Tensor:
        n, h, w, c = pixels.shape
        rows = (torch.arange(h, device=pixels.device) - self.down[:, None]).clamp_(0, h - 1)  # (n, h)
        cols = (torch.arange(w, device=pixels.device) - self.right[:, None]).clamp_(0, w - 1)  # (n, w)
        rows = torch.where(self.upend[:, None], h - 1 - rows, rows)
        cols = torch.where(self.mirror[:, None], w - 1 - cols, cols)
        first = torch.arange(n, device=pixels.device)[:, None] * h
        flat = ((first + rows) * w)[:, :, None] + cols[:, None, :]  # (n, h, w)
        return pixels.reshape(n * h * w, c)[flat.view(-1)].view(n, h, w, c)

    def resample(self, pixels: Tensor) -> Tensor:
        x = pixels.permute(0, 3, 1, 2).float()  # (n, c, h, w)
        cos, sin = torch.cos(self.turn) / self.zoom, torch.sin(self.turn) / self.zoom
        side, top = torch.where(self.mirror, -1.0, 1.0), torch.where(self.upend, -1.0, 1.0)
        aspect = self.h / self.w  # grid coordinates are shares of a side: a turn must not shear oblong pictures
        theta = torch.stack(
            [
                torch.stack([cos * side, -sin * aspect * side, -2 * self.right / self.w * side], 1),
                torch.stack([sin / aspect * top, cos * top, -2 * self.down / self.h * top], 1),
            ],
            1,
        )  # (n, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        y = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return y.round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _erase(pixels: Tensor, share: float, draw: Draw, changed: Tensor) -> Tensor:
    n, h, w, _ = pixels.shape
    half = draw(6) * share / 2
    y = torch.arange(h, device=pixels.device) / h - draw(7)[:, None]  # (n, h)
    x = torch.arange(w, device=pixels.device) / w - draw(8)[:, None]
    hole = (y.abs() < half[:, None])[:, :, None] & (x.abs() < half[:, None])[:, None, :] & changed[:, None, None]
    mean = pixels.float().mean((1, 2), keepdim=True).to(torch.uint8)  # (n, 1, 1, c)
    return torch.where(hole[..., None], mean, pixels)


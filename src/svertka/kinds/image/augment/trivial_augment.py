"""TrivialAugment: each picture gets one operation of a list, at a strength drawn evenly; nothing is to be tuned.

Müller and Hutter 2021, arXiv:2103.10158, the "wide" list and strengths, with two departures:
- shifts reach a seventh of the side (the paper: 32 pixels, which is that of 224): small pictures keep their object;
- turns, leans and shifts continue the edge instead of filling in black, and sharpness uses this package's Gaussian.

Operations that are geometry, color or sharpness set the sample's row in the moves and tones of its batch, and are
carried out with them; the four that only look values up are done here, as Pillow's ImageOps defines them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svertka.common.counter_rng import Draw, Stream
from svertka.common.lazy import LazyModule
from svertka.kinds.base import Augment, option
from svertka.kinds.image.augment.geometric import Moves
from svertka.kinds.image.augment.photometric import SMALL, Tones

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")  # the recipe knows the settings below before torch is there

OPERATIONS = (
    "identity", "lean", "lean_down", "right", "down", "turn", "brightness", "saturation", "contrast", "sharpness",
    "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip
LEVELS = 31  # strengths, 0 to 30
LEAN, TURN, SHIFT, TONE = 0.99, math.radians(135), 1 / 7, 0.99  # at full strength


@dataclass(frozen=True, repr=False)
class TrivialAugment(Augment):
    """One operation a picture."""

    trivial_augment: bool = option(
        False, "TrivialAugment: one operation of its list a picture, at a random strength", dear=True,
        strengths=(True,), turn=19,
    )  # fmt: skip


def draw_trivial(move: Moves, tone: Tones, pixels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Put one operation a sample into `move` and `tone`: (which, strength) of each, (n,), for `look_up`."""
    _, h, w, c = pixels.shape
    which = (draw(Stream.TRIVIAL) * len(OPERATIONS)).long()  # (n,)
    strength = torch.floor(draw(Stream.TRIVIAL_STRENGTH) * LEVELS) / (LEVELS - 1)  # (n,) 0 to 1
    signed = torch.where(draw(Stream.TRIVIAL_SIGN) < 0.5, -strength, strength)

    def of(name: str) -> Tensor:
        return signed * (which == OPERATIONS.index(name))

    move.lean, move.lean_down = move.lean + LEAN * of("lean"), move.lean_down + LEAN * of("lean_down")
    move.right = move.right + torch.round(of("right") * (SHIFT * w))
    move.down = move.down + torch.round(of("down") * (SHIFT * h))
    move.turn = move.turn + TURN * of("turn")
    tone.brightness = _stronger(tone.brightness, of("brightness"))
    tone.contrast = _stronger(tone.contrast, of("contrast"))
    if c == 3:
        tone.saturation = _stronger(tone.saturation, of("saturation"))
    sharper = -TONE * of("sharpness")
    if tone.sigma is None or tone.amount is None:
        tone.sigma, tone.amount = torch.full_like(signed, SMALL), sharper
    else:  # the recipe blurs or sharpens too: the operation takes its place
        here = which == OPERATIONS.index("sharpness")
        tone.sigma = torch.where(here, torch.full_like(signed, SMALL), tone.sigma)
        tone.amount = torch.where(here, sharper, tone.amount)
    tone.widest = max(tone.widest, SMALL)
    return which, strength


def _stronger(factor: Tensor | None, by: Tensor) -> Tensor:
    return 1 + TONE * by if factor is None else factor * (1 + TONE * by)


def look_up(pixels: Tensor, which: Tensor, strength: Tensor) -> Tensor:
    """The operations that replace each value by another of a table, as one table a sample and channel.

    uint8 (n, h, w, c) -> the same.
    """
    n, h, w, c = pixels.shape
    values = torch.arange(256, device=pixels.device)
    flat = pixels.view(n, h * w, c).permute(0, 2, 1)  # (n, c, h*w)
    bits = 8 - torch.round(strength * 6).long()  # posterize: 8 to 2 bits are kept
    limit = 255 - torch.round(strength * 255).long()  # solarize: values from here on are turned round
    table = values.expand(n, c, 256)
    for name, made in (
        ("posterize", values & (256 - (1 << (8 - bits)))[:, None, None]),
        ("solarize", torch.where(values < limit[:, None, None], values, 255 - values)),
        ("autocontrast", _autocontrast(flat, values)),
        ("equalize", _equalize(flat, values)),
    ):
        table = torch.where((which == OPERATIONS.index(name))[:, None, None], made, table)
    return table.gather(2, flat.long()).to(torch.uint8).permute(0, 2, 1).reshape(n, h, w, c)


def _autocontrast(flat: Tensor, values: Tensor) -> Tensor:
    """Stretch each channel from 0 to 255: (n, c, h*w) -> (n, c, 256)."""
    low, high = flat.amin(2, keepdim=True).double(), flat.amax(2, keepdim=True).double()
    scale = 255 / (high - low).clamp(min=1)
    stretched = (values * scale + -low * scale).long().clamp(0, 255)
    return torch.where(high > low, stretched, values)


def _equalize(flat: Tensor, values: Tensor) -> Tensor:
    """Make each channel's values equally frequent: (n, c, h*w) -> (n, c, 256)."""
    count = torch.zeros(*flat.shape[:2], 256, dtype=torch.long, device=flat.device)
    count.scatter_add_(2, flat.long(), torch.ones_like(flat, dtype=torch.long))  # (n, c, 256)
    last = 255 - count.flip(2).gt(0).int().argmax(2, keepdim=True)  # the largest value there is
    step = (count.sum(2, keepdim=True) - count.gather(2, last)) // 255
    before = count.cumsum(2) - count + step // 2
    return torch.where(step > 0, (before // step.clamp(min=1)).clamp(max=255), values)

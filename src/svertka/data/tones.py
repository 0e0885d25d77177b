"""What augmentation does to the values of pixels: colour, blur and sharpening, noise, erasing.

- Brightness, contrast, saturation and hue are affine in (r, g, b), so together they are one 3x3 matrix and one offset
  a picture, and nothing is cut off between them. Grey is Pillow's (ITU-R 601); hue turns the chroma plane of YIQ.
- y = x + amount (G x - x), with a Gaussian G: amount 1 blurs, a negative one sharpens.
- Noise is a stretch of one long table of normal numbers, at a place and with a sign of the sample's own: to hash every
  pixel anew would cost more than all other steps together.

Sums run over taps in a fixed order and never over a batch, so a picture's result does not depend on its neighbours.
Axes: n samples, c channels (1 or 3), h rows, w columns; values 0 to 255.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.data.moves import both_ways, factor
from svertka.data.random import Draw, Stream

if TYPE_CHECKING:
    from svertka.data.augment import Augment

GREY = (0.299, 0.587, 0.114)
SMALL = 0.68  # pixels: the Gaussian as wide as the 3x3 filter with which Pillow smooths
REACH = 2.0  # standard deviations, after which a Gaussian is cut off
TABLE = 1 << 20  # normal numbers, from which each sample takes a stretch


@dataclass
class Tones:
    """What is done to each of n pictures; tensors are float (n,), and None is not at all.

    brightness, contrast, saturation  factors, 1 is as it is
    hue          radians
    mean         (n, c) of each picture before; needed for contrast alone
    sigma        of the Gaussian in pixels
    amount       1 is the Gaussian itself, 0 nothing, below 0 sharper
    widest       no sigma is larger
    noise        standard deviation in values of pixels
    place, sign  where in the table the noise begins, int64, and +-1
    """

    mean: Tensor | None = None
    brightness: Tensor | None = None
    contrast: Tensor | None = None
    saturation: Tensor | None = None
    hue: Tensor | None = None
    sigma: Tensor | None = None
    amount: Tensor | None = None
    widest: float = 0.0
    noise: Tensor | None = None
    place: Tensor | None = None
    sign: Tensor | None = None


def needed(how: Augment) -> bool:
    """Whether the recipe changes values."""
    steps = (how.brightness, how.contrast, how.saturation, how.hue, how.blur, how.sharpen, how.noise)
    return any(map(bool, steps))


def draw_tones(how: Augment, pixels: Tensor, draw: Draw) -> Tones:
    """What the recipe does to each picture."""
    tones = Tones(mean=means(pixels) if how.contrast or how.trivial else None)
    if how.brightness:
        tones.brightness = factor(draw(Stream.BRIGHTNESS), how.brightness)
    if how.contrast:
        tones.contrast = factor(draw(Stream.CONTRAST), how.contrast)
    if pixels.shape[3] == 3:  # grey pictures have no colour to change
        if how.saturation:
            tones.saturation = factor(draw(Stream.SATURATION), how.saturation)
        if how.hue:
            tones.hue = both_ways(draw(Stream.HUE), math.radians(how.hue))
    if how.blur or how.sharpen:
        _draw_gaussian(tones, how, draw)
    if how.noise:
        tones.noise = draw(Stream.NOISE) * (how.noise * 255)
        tones.place = (draw(Stream.NOISE_PLACE) * TABLE).long()
        tones.sign = torch.where(draw(Stream.NOISE_SIGN) < 0.5, -1.0, 1.0)
    return tones


def _draw_gaussian(tones: Tones, how: Augment, draw: Draw) -> None:
    """Blur or sharpen; half of the pictures each where both are asked for."""
    sigma = draw(Stream.BLUR) * how.blur
    amount = -draw(Stream.SHARPEN) * how.sharpen
    if how.blur and how.sharpen:
        blurred = draw(Stream.BLUR_OR_SHARPEN) < 0.5
    else:
        blurred = torch.full_like(sigma, bool(how.blur), dtype=torch.bool)
    tones.sigma = torch.where(blurred, sigma, torch.full_like(sigma, SMALL))
    tones.amount = torch.where(blurred, torch.ones_like(amount), amount)
    tones.widest = max(how.blur, SMALL if how.sharpen else 0.0)


def means(pixels: Tensor) -> Tensor:
    """Mean of each channel of each picture: uint8 (n, h, w, c) -> float (n, c); sums of whole numbers, so exact."""
    n, h, w, c = pixels.shape
    return pixels.view(n, h * w, c).sum(1, dtype=torch.int64).float() / (h * w)


def apply(x: Tensor, tones: Tones) -> Tensor:
    """Change the values of float (n, c, h, w), which may be overwritten; neither rounded nor cut off."""
    if any(t is not None for t in (tones.brightness, tones.contrast, tones.saturation, tones.hue)):
        x = recolour(x, *colour_map(tones))
    if tones.sigma is not None and tones.amount is not None:
        x += (gaussian(x, tones.sigma, tones.widest) - x).mul_(tones.amount[:, None, None, None])
    if tones.noise is not None and tones.place is not None and tones.sign is not None:
        size = x[0].numel()
        stretch = _table(size, str(x.device)).unfold(0, size, 1)[tones.place].view_as(x)  # (n, c, h, w)
        x += stretch.mul_((tones.noise * tones.sign)[:, None, None, None])
    return x


# --- colour ---


def colour_map(tones: Tones) -> tuple[Tensor | None, Tensor, Tensor]:
    """(matrix (n, 3, 3) or None, gain (n,), offset (n,)): x becomes gain * matrix x + offset."""
    steps = (tones.brightness, tones.contrast, tones.saturation, tones.hue)
    one = torch.ones_like(next(t for t in steps if t is not None))
    brightness, contrast, saturation = (one if t is None else t for t in steps[:3])
    matrix, offset = None, torch.zeros_like(one)
    if tones.saturation is not None or tones.hue is not None:
        grey, unit = _chroma(one)[0].expand(3, 3), torch.eye(3, device=one.device)
        s = saturation[:, None, None]
        matrix = s * unit + (1 - s) * grey  # (n, 3, 3)
        if tones.hue is not None:
            matrix = _times(_hue(tones.hue), matrix)
    if tones.contrast is not None and tones.mean is not None:
        # neither saturation nor hue changes grey, so the mean grey is that of the picture as it was
        middle = (tones.mean * _chroma(one)[0]).sum(1) if tones.mean.shape[1] == 3 else tones.mean[:, 0]
        offset = (1 - contrast) * middle * brightness
    return matrix, brightness * contrast, offset


def recolour(x: Tensor, matrix: Tensor | None, gain: Tensor, offset: Tensor) -> Tensor:
    """The affine map of `colour_map` on float (n, c, h, w)."""
    if matrix is None:
        return x.mul_(gain[:, None, None, None]).add_(offset[:, None, None, None])
    m = matrix * gain[:, None, None]  # (n, 3, 3)
    planes = []
    for out in range(3):
        weights = m[:, out, :, None, None]  # (n, 3, 1, 1)
        plane = x[:, 0] * weights[:, 0] + offset[:, None, None]  # (n, h, w)
        plane += x[:, 1] * weights[:, 1]
        plane += x[:, 2] * weights[:, 2]
        planes.append(plane)
    return torch.stack(planes, 1)


def _chroma(like: Tensor) -> Tensor:
    """(r, g, b) -> (y, i, q): the NTSC matrix as Python's colorsys has it, on ITU-R 601's grey. (3, 3)."""
    r, g, b = GREY
    i = (0.74 * (1 - r) + 0.27 * r, -0.74 * g + 0.27 * g, -0.74 * b - 0.27 * (1 - b))
    q = (0.48 * (1 - r) - 0.41 * r, -0.48 * g - 0.41 * g, -0.48 * b + 0.41 * (1 - b))
    return torch.tensor([GREY, i, q], device=like.device)


def _hue(angle: Tensor) -> Tensor:
    """Turn the plane of i and q, and leave y: (n,) -> (n, 3, 3) in (r, g, b)."""
    there = _chroma(angle)
    cos, sin, no = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    turn = torch.stack([no + 1, no, no, no, cos, -sin, no, sin, cos], 1).view(-1, 3, 3)
    return _times(_times(torch.linalg.inv(there)[None], turn), there[None])


def _times(a: Tensor, b: Tensor) -> Tensor:
    """Products of small matrices, each by itself: a batched product may sum in another order for another n."""
    return (a[:, :, :, None] * b[:, None, :, :]).sum(2)


# --- blur and noise ---


def gaussian(x: Tensor, sigma: Tensor, widest: float) -> Tensor:
    """Blur each picture by its own standard deviation; edges are continued. (n, c, h, w), (n,) -> (n, c, h, w)."""
    reach = max(1, math.ceil(REACH * widest))
    distance = torch.arange(reach + 1, device=x.device)
    tap = torch.exp(-0.5 * (distance / sigma[:, None].clamp(min=1e-3)) ** 2)  # (n, reach + 1)
    total = tap[:, 0].clone()
    for k in range(1, reach + 1):
        total += 2 * tap[:, k]
    tap = (tap / total[:, None])[:, :, None, None, None]  # (n, reach + 1, 1, 1, 1)
    for axis in (2, 3):
        size = x.shape[axis]
        pad = (0, 0, reach, reach) if axis == 2 else (reach, reach)
        wide = F.pad(x, (*pad, 0, 0) if axis == 3 else pad, mode="replicate")
        x = x * tap[:, 0]
        for k in range(1, reach + 1):
            x += (wide.narrow(axis, reach - k, size) + wide.narrow(axis, reach + k, size)).mul_(tap[:, k])
    return x


@lru_cache(maxsize=4)
def _table(size: int, device: str) -> Tensor:
    """TABLE normal numbers, and the first `size - 1` of them again, so that a stretch may begin anywhere."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(TABLE, generator=generator)
    times = -(-(TABLE + size) // TABLE)
    return table.repeat(times)[: TABLE + size - 1].to(device)


# --- erasing ---


def erase(pixels: Tensor, share: float, draw: Draw, changed: Tensor) -> Tensor:
    """A square of up to `share` of the side becomes the picture's mean: uint8 (n, h, w, c) -> the same."""
    _, h, w, _ = pixels.shape
    half = draw(Stream.HOLE) * share / 2
    y = torch.arange(h, device=pixels.device) / h - draw(Stream.HOLE_DOWN)[:, None]  # (n, h)
    x = torch.arange(w, device=pixels.device) / w - draw(Stream.HOLE_RIGHT)[:, None]
    hole = (y.abs() < half[:, None])[:, :, None] & (x.abs() < half[:, None])[:, None, :] & changed[:, None, None]
    mean = means(pixels).to(torch.uint8)[:, None, None, :]  # (n, 1, 1, c)
    return torch.where(hole[..., None], mean, pixels)

"""Where the pixels of a varied picture come from: every geometric step of augmentation as one map.

The map goes backwards, from a pixel of the new picture to a place in the old one, in pixels from the center:
new -> undo the move -> undo the turn -> undo scale and stretch -> undo the lean -> into the window -> mirror -> old.
Six numbers a sample hold it, so however many steps there are, pixels are interpolated once.

Axes: n samples, h rows, w columns, c channels; u points right and v down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from svertka.common.counter_rng import Draw, Stream
from svertka.common.lazy import LazyModule
from svertka.kinds.base import Augment, option

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")  # the recipe knows the settings below before torch is there

FORM = 4 / 3  # the most that a cropped window is stretched, as in Szegedy et al. 2014 (arXiv:1409.4842, section 6)


@dataclass(frozen=True, repr=False)
class Geometric(Augment):
    """Where pixels come from. `scale` may be (least, most) as factors."""

    flip_horizontal: bool = option(
        False, "mirror half of the training pictures left to right", chosen=True, strengths=(True,), turn=2
    )
    shift: float = option(
        0.0, "move training pictures by up to this share of the side", chosen=True, strengths=(0.1, 0.2), turn=4
    )
    shift_down: float | None = option(None, "another share up and down", setting=False)
    rotate: float = option(
        0.0, "turn training pictures by up to this many degrees", 0, 180, chosen=True, dear=True,
        strengths=(15.0, 45.0, 180.0), turn=1,
    )  # fmt: skip
    scale: float | tuple[float, float] = option(
        0.0, "enlarge or shrink training pictures by up to this share", 0, 0.95, chosen=True, dear=True,
        strengths=(0.2, 0.4), turn=5,
    )  # fmt: skip
    flip_vertical: bool = option(False, "mirror half of the training pictures top to bottom", strengths=(True,), turn=3)
    aspect: float = option(
        0.0, "stretch one side against the other by up to this share", 0, 0.95, dear=True, strengths=(0.2,), turn=10
    )
    shear: float = option(
        0.0, "lean training pictures by up to this many degrees", 0, 60, dear=True, strengths=(10.0,), turn=11
    )
    crop: float = option(
        0.0, "fill the frame with a random window that leaves away up to this share of the area", 0, 0.95, dear=True,
        strengths=(0.5,), turn=9,
    )  # fmt: skip


@dataclass
class Moves:
    """What is done to each of n pictures; all tensors are float (n,).

    mirror, upend      -1 where mirrored left to right, top to bottom; else 1
    right, down        pixels
    turn               radians, counter-clockwise
    wide, high         factors of size, 1 is as it is
    lean, lean_down    tangent of the angle
    window             (width, height, right, down): shares of the frame and pixels off the center
    """

    mirror: Tensor
    upend: Tensor
    right: Tensor
    down: Tensor
    turn: Tensor
    wide: Tensor
    high: Tensor
    lean: Tensor
    lean_down: Tensor
    window: tuple[Tensor, Tensor, Tensor, Tensor]


def needs_resampling(how: Geometric) -> bool:
    """Whether pixels of the new picture come from between those of the old one."""
    return bool(how.rotate or how.scale or how.aspect or how.shear or how.crop)


def both_ways(u: Tensor, most: float) -> Tensor:
    """A number of [0, 1) as one between -most and most."""
    return (u * 2 - 1) * most


def factor(u: Tensor, span: float | tuple[float, float]) -> Tensor:
    """A number of [0, 1) as a factor: 1 - span to 1 + span, or between the two."""
    low, high = span if isinstance(span, tuple) else (1 - span, 1 + span)
    return low + u * (high - low)


def whole_shift(how: Geometric, pixels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """(down, right) in whole pixels, float (n,)."""
    _, h, w, _ = pixels.shape
    share = how.shift if how.shift_down is None else how.shift_down
    down = torch.round(both_ways(draw(Stream.DOWN), share) * h)
    right = torch.round(both_ways(draw(Stream.RIGHT), how.shift) * w)
    return down, right


def gather(pixels: Tensor, how: Geometric, draw: Draw, changed: Tensor) -> Tensor:
    """Whole-pixel shifts and mirrors alone, of rows that are `changed` (n,): uint8 (n, h, w, c) -> the same."""
    down, right = (s.long() * changed for s in whole_shift(how, pixels, draw))
    upend = changed & (draw(Stream.UPEND) < 0.5) if how.flip_vertical else None
    mirror = changed & (draw(Stream.MIRROR) < 0.5) if how.flip_horizontal else None
    way = by_windows if pixels.device.type == "cpu" else by_places
    return way(pixels, down, right, upend, mirror)


def by_places(pixels: Tensor, down: Tensor, right: Tensor, upend: Tensor | None, mirror: Tensor | None) -> Tensor:
    """Shift by (down, right), int64 (n,), what was mirrored before, bool (n,): one gather of pixels, on any device."""
    n, h, w, c = pixels.shape
    rows = (torch.arange(h, device=pixels.device) - down[:, None]).clamp_(0, h - 1)  # (n, h)
    cols = (torch.arange(w, device=pixels.device) - right[:, None]).clamp_(0, w - 1)  # (n, w)
    if upend is not None:
        rows = torch.where(upend[:, None], h - 1 - rows, rows)
    if mirror is not None:
        cols = torch.where(mirror[:, None], w - 1 - cols, cols)
    first = torch.arange(n, device=pixels.device)[:, None] * h
    flat = ((first + rows) * w)[:, :, None] + cols[:, None, :]  # (n, h, w)
    return pixels.reshape(n * h * w, c)[flat.view(-1)].view(n, h, w, c)


def by_windows(pixels: Tensor, down: Tensor, right: Tensor, upend: Tensor | None, mirror: Tensor | None) -> Tensor:
    """The same for a CPU, several times quicker: a frame of edge pixels around each picture, and a window out of that.

    Whole rows are copied where a gather looks up every pixel; a pixel is one element, however many channels it has.
    """
    n, h, w, c = pixels.shape
    whole = pixels.contiguous().numpy().view(np.uint8 if c == 1 else f"V{c}")[..., 0]  # (n, h, w)
    high, wide = int(down.abs().max()), int(right.abs().max())  # of the frame
    framed = np.empty((n, h + 2 * high, w + 2 * wide), whole.dtype)
    inner = framed[:, high : high + h, wide : wide + w]  # (n, h, w)
    inner[...] = whole
    for turned, axis in ((upend, 1), (mirror, 2)):
        if turned is not None:
            inner[turned.numpy()] = np.flip(inner[turned.numpy()], axis)
    framed[:, :high, wide : wide + w], framed[:, high + h :, wide : wide + w] = inner[:, :1], inner[:, -1:]
    framed[:, :, :wide], framed[:, :, wide + w :] = framed[:, :, wide, None], framed[:, :, wide + w - 1, None]
    windows = np.lib.stride_tricks.sliding_window_view(framed, (h, w), (1, 2))  # (n, places, places, h, w)
    window = windows[np.arange(n), (high - down).numpy(), (wide - right).numpy()]  # (n, h, w)
    return torch.from_numpy(window.view(np.uint8).reshape(n, h, w, c))


def draw_moves(how: Geometric, pixels: Tensor, draw: Draw) -> Moves:
    """What the recipe does to each picture."""
    n, h, w, _ = pixels.shape
    one = torch.ones(n, device=pixels.device)
    none = torch.zeros_like(one)
    down, right = whole_shift(how, pixels, draw)
    zoom = factor(draw(Stream.ZOOM), how.scale) if how.scale else one
    stretch = torch.sqrt(factor(draw(Stream.ASPECT), how.aspect)) if how.aspect else one
    lean = lean_down = none
    if how.shear:
        tangent = torch.tan(both_ways(draw(Stream.LEAN), math.radians(how.shear)))
        across = draw(Stream.LEAN_AXIS) < 0.5
        lean, lean_down = torch.where(across, tangent, none), torch.where(across, none, tangent)
    return Moves(
        mirror=torch.where(draw(Stream.MIRROR) < 0.5, -one, one) if how.flip_horizontal else one,
        upend=torch.where(draw(Stream.UPEND) < 0.5, -one, one) if how.flip_vertical else one,
        right=right,
        down=down,
        turn=both_ways(draw(Stream.TURN), math.radians(how.rotate)) if how.rotate else none,
        wide=zoom * stretch,
        high=zoom / stretch,
        lean=lean,
        lean_down=lean_down,
        window=_window(how.crop, h, w, draw) if how.crop else (one, one, none, none),
    )


def _window(crop: float, h: int, w: int, draw: Draw) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    area = 1 - crop * draw(Stream.CROP_AREA)
    form = torch.exp(both_ways(draw(Stream.CROP_FORM), math.log(FORM)))
    wide, high = torch.sqrt(area * form).clamp(max=1), torch.sqrt(area / form).clamp(max=1)
    right = both_ways(draw(Stream.CROP_RIGHT), w / 2) * (1 - wide)
    down = both_ways(draw(Stream.CROP_DOWN), h / 2) * (1 - high)
    return wide, high, right, down


def backwards(m: Moves) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(a, b, c, d, e, f), each (n,): the old place of the new (u, v) is (a u + b v + e, c u + d v + f)."""
    cos, sin = torch.cos(m.turn), torch.sin(m.turn)
    a, b = cos / m.wide, -sin / m.wide
    c, d = sin / m.high, cos / m.high
    a, b, c, d = a - m.lean * c, b - m.lean * d, c - m.lean_down * a, d - m.lean_down * b
    wide, high, right, down = m.window
    a, b, c, d = a * wide * m.mirror, b * wide * m.mirror, c * high * m.upend, d * high * m.upend
    e = right * m.mirror - a * m.right - b * m.down
    f = down * m.upend - c * m.right - d * m.down
    return a, b, c, d, e, f


def lines(m: Moves, h: int, w: int) -> tuple[Tensor, Tensor]:
    """What each column and each row adds to the old place (right, down): (n, 2, 1, w), (n, 2, h, 1).

    As `grid_sample` counts: in halves of a side, from the center.
    """
    a, b, c, d, e, f = (t[:, None] for t in backwards(m))
    u = torch.arange(w, device=a.device) - (w - 1) / 2  # (w,)
    v = torch.arange(h, device=a.device) - (h - 1) / 2  # (h,)
    columns = torch.stack([(a * u + e) * (2 / w), (c * u + f) * (2 / h)], 1)  # (n, 2, w)
    rows = torch.stack([b * v * (2 / w), d * v * (2 / h)], 1)  # (n, 2, h)
    return columns[:, :, None], rows[:, :, :, None]


def resample(pixels: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Move every picture in one bilinear resampling, not rounded.

    Args:
        pixels: float (n, h, w, c).
        columns, rows: of `lines`.

    Returns:
        float (n, c, h, w), one plane a channel.
    """
    grid = (columns + rows).permute(0, 2, 3, 1)  # (n, h, w, 2), as two planes: four times as fast to write
    return torch.nn.functional.grid_sample(pixels.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False)

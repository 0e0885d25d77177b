"""Augmentation of whole batches of pixels, each sample with its own random numbers.

- All geometry is one resampling: whole-pixel shifts and mirrors are one gather of bytes; with a turn, a stretch or a
  crop in the recipe they join one bilinear `grid_sample`. What leaves the frame is continued by the nearest edge pixel.
- All colour is one affine map of (r, g, b); blur and sharpening share one Gaussian; rounding to bytes comes last.
- Random numbers are keyed by (seed, epoch, sample), and no arithmetic mixes two rows of a batch: batch size, order,
  threads and resuming change nothing, to the bit.
- What is drawn is drawn for the whole batch; what computes with pixels goes through it in pieces that stay near the
  processor, one photograph at a time, with few passes over them (`addcmul` where a product is added).
- Mirroring alternates: a picture is seen each way in every two passes, rather than by chance twice the same way,
  which teaches more in few passes (Jordan 2024, arXiv:2404.00498, section 3.6).

Lecture 001 advises to leave a part of the pictures as they are: `untouched` does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from svertka.data import moves, tones
from svertka.data.random import Draw, Stream, uniform
from svertka.data.trivial import draw_trivial, look_up

PIECE = 1 << 18  # numbers that are varied at a time on a CPU: four buffers of them stay in its cache
MIXES = ("mixup", "cutmix")  # what joins two pictures: svertka.data.mixing


@dataclass(frozen=True, slots=True, repr=False)
class Augment:
    """How training pictures are varied; everything zero is no variation.

    flip        mirror half of the pictures left to right, the other half in the next pass
    upend       mirror half of the pictures top to bottom
    shift       move by up to this share of the side, both ways (`shift_down`: another share up and down)
    rotate      turn by up to this many degrees, both ways
    scale       up to this share larger or smaller; or (least, most) as factors
    aspect      stretch across and squeeze down, or the other way, by up to this share
    shear       lean by up to this many degrees, across or down
    crop        a window of random place and form that leaves away up to this share of the area fills the frame
    brightness  pixels times 1 - this to 1 + this; or (least, most) as factors
    contrast    distance from the picture's mean grey, times 1 - this to 1 + this
    saturation  distance from each pixel's grey, times 1 - this to 1 + this
    hue         turn colours by up to this many degrees of the colour circle, both ways
    blur        a Gaussian of up to this many pixels (its standard deviation)
    sharpen     add up to this many times what a small blur takes away
    noise       Gaussian noise of a standard deviation of up to this share of white
    erase       a square of up to this share of the side becomes the picture's mean
    mixup       mean of two pictures, the share from Beta(this, this)
    cutmix      a rectangle from another picture, its share from Beta(this, this)
    trivial     one operation of TrivialAugment's list, at a random strength
    untouched   this share of the pictures stays as it is
    """

    flip: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    scale: float | tuple[float, float] = 0.0
    erase: float = 0.0
    untouched: float = 0.0
    upend: bool = False
    shift_down: float | None = None
    aspect: float = 0.0
    shear: float = 0.0
    crop: float = 0.0
    brightness: float | tuple[float, float] = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    noise: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    trivial: bool = False

    def __repr__(self) -> str:
        default = Augment.__dataclass_fields__
        said = (f"{k}={getattr(self, k)!r}" for k, f in default.items() if getattr(self, k) != f.default)
        return f"Augment({', '.join(said)})"

    @property
    def none(self) -> bool:
        """Whether pictures stay as they are."""
        return not any(getattr(self, f.name) for f in fields(self) if f.name != "untouched")

    @property
    def mixes(self) -> bool:
        """Whether two pictures become one, so that labels become shares."""
        return any(getattr(self, name) for name in MIXES)

    @property
    def alone(self) -> Augment:
        """What is done to one picture without another."""
        return replace(self, **dict.fromkeys(MIXES, 0.0))

    def __call__(self, pixels: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
        """Vary a batch: uint8 (n, h, w, c) -> uint8 (n, h, w, c); `samples` (n,) names each row for its random numbers.

        Two pictures are joined by `svertka.data.mixing.mix_pictures`, which has the labels too.
        """
        if self.none or not len(pixels):
            return pixels
        draw = _drawer(samples, seed, epoch)
        changed = draw(Stream.UNTOUCHED) >= self.untouched  # (n,)
        if not self._thorough:
            return self._whole(pixels, draw, changed)
        varied = self._between(pixels, draw, changed)
        if self.erase:
            varied = tones.erase(varied, self.erase, draw, changed)
        return torch.where(changed[:, None, None, None], varied, pixels) if self.untouched else varied

    @property
    def _resampled(self) -> bool:
        return self.trivial or moves.needs_resampling(self)

    @property
    def _thorough(self) -> bool:
        return self._resampled or tones.needed(self)

    def _whole(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        """What needs nothing but whole pixels."""
        pixels = self._moved(pixels, draw, changed)
        return tones.erase(pixels, self.erase, draw, changed) if self.erase else pixels

    def _moved(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        moved = self.flip or self.upend or self.shift or self.shift_down
        return moves.gather(pixels, self, draw, changed) if moved else pixels

    def _between(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        """What computes with values, piece by piece."""
        move, tone = moves.draw_moves(self, pixels, draw), tones.draw_tones(self, pixels, draw)
        looked_up = draw_trivial(move, tone, pixels, draw) if self.trivial else None
        start = pixels if self._resampled else self._moved(pixels, draw, changed)
        each = max(1, PIECE // pixels[0].numel()) if pixels.device.type == "cpu" else len(pixels)
        parts = (t.split(each) for t in (pixels, start, *moves.lines(move, *pixels.shape[1:3])))
        varied, first = torch.empty_like(pixels), 0
        # steps without end where no value changes
        for before, some, *lines, steps in zip(*parts, tones.steps(tone).split(each), strict=False):
            rows = slice(first, first := first + len(some))
            values = before.float()  # (m, h, w, c)
            mean = tones.means(values) if steps.lift is not None else None
            if looked_up is not None:
                values.copy_(look_up(some, *(t[rows] for t in looked_up)))
            if self._resampled:
                x = moves.resample(values, *lines)  # (m, c, h, w)
            else:
                x = some.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
            x = tones.apply(x, steps, mean).round_().clamp_(0, 255)
            planes = x.to(torch.int16).to(torch.uint8).unbind(1)  # by int16: vector units know no shorter way to bytes
            torch.stack(planes, 3, out=varied[rows])
        return varied


def _drawer(samples: Tensor, seed: int, epoch: int) -> Draw:
    def draw(stream: int) -> Tensor:
        if stream == Stream.MIRROR:  # drawn once; every pass shows the other side than the pass before
            return (uniform(seed, 0, samples, stream) + 0.5 * (epoch % 2)) % 1
        return uniform(seed, epoch, samples, stream)

    return draw

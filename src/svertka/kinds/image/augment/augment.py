"""Augmentation of whole batches of pixels, each sample with its own random numbers.

- All geometry is one resampling: whole-pixel shifts and mirrors are one gather of bytes; with a turn, a stretch or a
  crop in the recipe they join one bilinear `grid_sample`. What leaves the frame is continued by the nearest edge pixel.
- All color is one affine map of (r, g, b); blur and sharpening share one Gaussian; rounding to bytes comes last.
- Random numbers are keyed by (seed, epoch, sample), and no arithmetic mixes two rows of a batch: batch size, order,
  threads and resuming change nothing, to the bit.
- What is drawn is drawn for the whole batch; what computes with pixels goes through it in pieces that stay near the
  processor, one photograph at a time, with few passes over them (`addcmul` where a product is added).
- Mirroring alternates: a picture is seen each way in every two passes, rather than by chance twice the same way,
  which teaches more in few passes (Jordan 2024, arXiv:2404.00498, section 3.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svertka.common.counter_rng import Draw, Stream, uniform
from svertka.common.lazy import LazyModule
from svertka.kinds.image.augment import geometric, photometric
from svertka.kinds.image.augment.geometric import Geometric
from svertka.kinds.image.augment.mixup_cutmix import Mixing, mix_pictures
from svertka.kinds.image.augment.photometric import Photometric
from svertka.kinds.image.augment.trivial_augment import TrivialAugment, draw_trivial, look_up

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")  # the recipe knows the settings below before torch is there

PIECE = 1 << 18  # numbers that are varied at a time on a CPU: four buffers of them stay in its cache


@dataclass(frozen=True, repr=False)
class Augment(Mixing, TrivialAugment, Photometric, Geometric):
    """How training pictures are varied; everything at its default is no variation.

    Each group of fields stands beside the operations that it is for, with help, bounds and what `tune` tries. Lecture
    001 advises to leave a part of the pictures as they are: `untouched` does.
    """

    def __call__(self, pixels: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
        """Vary a batch: uint8 (n, h, w, c) -> uint8 (n, h, w, c); `samples` (n,) names each row for its random numbers.

        Two pictures are joined by `mix`, which has the labels too.
        """
        if self.none or not len(pixels):
            return pixels
        draw = _drawer(samples, seed, epoch)
        changed = draw(Stream.UNTOUCHED) >= self.untouched  # (n,)
        if not self._thorough:
            return self._whole(pixels, draw, changed)
        varied = self._between(pixels, draw, changed)
        varied = photometric.finish(varied, self, draw, changed)
        return torch.where(changed[:, None, None, None], varied, pixels) if self.untouched else varied

    def mix(
        self, pixels: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor], samples: Tensor, seed: int, epoch: int
    ) -> tuple[Tensor, Tensor]:
        """MixUp and CutMix: two uint8 (n, h, w, c), and their shares of classes (n, classes) -> one of each."""
        return mix_pictures(self, pixels, targets, samples, seed, epoch)

    @property
    def _resampled(self) -> bool:
        return self.trivial_augment or geometric.needs_resampling(self)

    @property
    def _thorough(self) -> bool:
        return self._resampled or photometric.needed(self)

    def _whole(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        """What needs nothing but whole pixels."""
        pixels = self._moved(pixels, draw, changed)
        return photometric.finish(pixels, self, draw, changed)

    def _moved(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        moved = self.flip_horizontal or self.flip_vertical or self.shift or self.shift_down
        return geometric.gather(pixels, self, draw, changed) if moved else pixels

    def _between(self, pixels: Tensor, draw: Draw, changed: Tensor) -> Tensor:
        """What computes with values, piece by piece."""
        move, tone = geometric.draw_moves(self, pixels, draw), photometric.draw_tones(self, pixels, draw)
        looked_up = draw_trivial(move, tone, pixels, draw) if self.trivial_augment else None
        start = pixels if self._resampled else self._moved(pixels, draw, changed)
        each = max(1, PIECE // pixels[0].numel()) if pixels.device.type == "cpu" else len(pixels)
        parts = (t.split(each) for t in (pixels, start, *geometric.lines(move, *pixels.shape[1:3])))
        varied, first = torch.empty_like(pixels), 0
        # steps without end where no value changes
        for before, some, *lines, steps in zip(*parts, photometric.steps(tone).split(each), strict=False):
            rows = slice(first, first := first + len(some))
            values = before.float()  # (m, h, w, c)
            mean = photometric.means(values) if steps.lift is not None else None
            if looked_up is not None:
                values.copy_(look_up(some, *(t[rows] for t in looked_up)))
            if self._resampled:
                x = geometric.resample(values, *lines)  # (m, c, h, w)
            else:
                x = some.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
            x = photometric.apply(x, steps, mean).round_().clamp_(0, 255)
            planes = x.to(torch.int16).to(torch.uint8).unbind(1)  # by int16: vector units know no shorter way to bytes
            torch.stack(planes, 3, out=varied[rows])
        return varied


def _drawer(samples: Tensor, seed: int, epoch: int) -> Draw:
    def draw(stream: int) -> Tensor:
        if stream == Stream.MIRROR:  # drawn once; every pass shows the other side than the pass before
            return (uniform(seed, 0, samples, stream) + 0.5 * (epoch % 2)) % 1
        return uniform(seed, epoch, samples, stream)

    return draw

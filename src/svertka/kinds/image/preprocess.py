"""`Preprocess`: the one record, saved with a model, that says how a picture file becomes its network's input.

`svertka.kinds.image.reader` makes pixels of files by it, once a file; `normalize` makes input of pixels, every batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from svertka.errors import RecipeError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Fit = Literal["stretch", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic"]

_BLOCK = 2**19  # numbers that a thread normalizes at once, about
_ROW = 4096  # numbers that meet their factors at once


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture file becomes the input of a network: (channels, height, width) float32.

    height, width  pixels of the result
    channels       1 (gray) or 3 (RGB)
    fit            what happens to another aspect ratio: "stretch" changes it, "crop" cuts what is too long
    evenly
                   at both ends, "pad" adds borders in the color of `mean`, which is zero after normalization
    zoom           with "crop": the share of the shorter side that is kept, such as 224 / 256
    interpolation  of the one resampling: "bilinear" or "bicubic"
    mean, std      per channel, of pixels / 255; 0.5 where they are left out, which maps 0..255 to -1..1

    >>> Preprocess(28, 28, 1).shape
    (1, 28, 28)
    """

    kind: ClassVar[str] = "image"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.uint8)
    height: int
    width: int
    channels: int
    fit: Fit = "stretch"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    zoom: float = 1.0
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= 16384:
                raise RecipeError(f"{name} is a number of pixels from 1 to 16384; received {side!r}.")
        if self.channels not in (1, 3):
            raise RecipeError(f"channels is 1 (gray) or 3 (color); received {self.channels!r}.")
        if self.fit not in get_args(Fit):
            raise RecipeError(f"fit is one of {', '.join(get_args(Fit))}; received {self.fit!r}.")
        if not 0.1 <= self.zoom <= 1:
            raise RecipeError(f"zoom is a share from 0.1 to 1; received {self.zoom!r}.")
        if self.interpolation not in get_args(Interpolation):
            raise RecipeError(f"interpolation is bilinear or bicubic; received {self.interpolation!r}.")
        object.__setattr__(self, "mean", tuple(float(v) for v in self.mean) or (0.5,) * self.channels)
        object.__setattr__(self, "std", tuple(float(v) for v in self.std) or (0.5,) * self.channels)
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels or not all(map(math.isfinite, values)):
                raise RecipeError(
                    f"{name} has one finite number for each of {self.channels} channels; received {values}."
                )
        if min(self.std) <= 0:
            raise RecipeError(f"std is greater than 0 in every channel; received {self.std}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the network's input."""
        return self.channels, self.height, self.width

    @property
    def stored(self) -> tuple[int, int, int]:
        """(height, width, channels) of a picture in the store."""
        return self.height, self.width, self.channels

    def stored_by(self) -> dict[str, Any]:
        """The fields on which stored pixels depend; of mean and deviation only "pad" does, with borders of the mean."""
        return {k: v for k, v in self.to_dict().items() if k != "std" and (k != "mean" or self.fit == "pad")}

    def standardized(self, samples: np.ndarray[Any, Any]) -> Preprocess:
        """With the mean and deviation of each channel of these pixels, uint8 (k, h, w, c)."""
        shares = np.asarray(samples, dtype=np.float32) / 255
        mean, std = shares.mean((0, 1, 2)), shares.std((0, 1, 2))
        return replace(
            self,
            # The borders of "pad" are in the store already, in the color of the mean it was made with.
            mean=self.mean if self.fit == "pad" else tuple(round(float(m), 4) for m in mean),
            std=tuple(round(max(float(s), 0.01), 4) for s in std),
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        """The record that `to_dict` was made of.

        Raises:
            RecipeError: a field is missing, unknown or out of range.
        """
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k != "kind"}  # which pictures need not name
        if values.keys() != known:
            odd = ", ".join(sorted(values.keys() ^ known))
            raise RecipeError(f"a Preprocess has the fields {', '.join(sorted(known))}; missing or unknown: {odd}.")
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})

    def normalize(
        self, pixels: np.ndarray[Any, Any] | Tensor, out: Tensor | None = None, index: Tensor | None = None
    ) -> Tensor:
        """Pixels as the network wants them: uint8 (n, h, w, c) -> float32 (n, c, h, w), channels-last.

        Args:
            pixels: an array, or a tensor on any device.
            out: where to put the result (same shape and memory format); a fresh tensor where None.
            index: int64 (m,), which of the pictures, in which order (the result then has m); all where None.
        """
        import torch

        if not isinstance(pixels, torch.Tensor):
            pixels = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
        n, (h, w, c) = len(pixels) if index is None else len(index), pixels.shape[1:]
        if out is None:
            out = torch.empty((n, h, w, c), device=pixels.device).permute(0, 3, 1, 2)  # (n, c, h, w)
        wide = w * c * _lines(h, w * c)
        rows = out.permute(0, 2, 3, 1).view(-1, wide)  # (n*h*w*c / wide, wide)
        times, device = wide // c, rows.device
        scale, shift = _factors(self.mean, self.std, times, device)  # (wide,), (wide,)
        # Rows of some lines of a picture keep vector units busy, where 3 channels would not, and their factors stay in
        # the nearest cache; so do blocks in a farther one, of several pictures or an even part of one. Threads wait for
        # each other after every operation, and so each has as much to do as a single one would.
        each = h * w * c // wide  # rows of a picture
        even = -(-each // max(1, round(each * wide / _BLOCK)))
        block = max(_BLOCK // wide, even) * torch.get_num_threads() if device.type == "cpu" else max(1, n * each)
        size = n if index is None else max(1, block // each)  # pictures that are gathered at once
        for first in range(0, n, max(1, size)):
            some = pixels if index is None else pixels.index_select(0, index[first : first + size])
            source, target = some.reshape(-1, wide), rows[first * each : (first + size) * each]
            for start in range(0, len(source), block):
                part = target[start : start + block].copy_(source[start : start + block])
                torch.addcmul(shift, part, scale, out=part)
        return out


@lru_cache(maxsize=16)
def _factors(
    mean: tuple[float, ...], std: tuple[float, ...], times: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """What a byte is multiplied by and what is added, for each number of a row; kept, or a GPU would wait for them."""
    import torch

    with torch.inference_mode(False):
        scale = torch.tensor([1 / (255 * s) for s in std], device=device)
        shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device)
        return scale.repeat(times), shift.repeat(times)


def _lines(height: int, width: int) -> int:
    """How many of `height` lines of so many numbers make a row of about _ROW; they divide all."""
    most = max(1, min(height, _ROW // width))
    return next(lines for lines in range(most, 0, -1) if height % lines == 0)

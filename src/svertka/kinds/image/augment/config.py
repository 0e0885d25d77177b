"""How training pictures are varied, as settings; `svertka.kinds.image.augment.augment` does it.

Lecture 001 advises to leave a part of the pictures as they are: `untouched` does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

MIXES = ("mixup", "cutmix")  # what joins two pictures: svertka.kinds.image.augment.mixup_cutmix


@dataclass(frozen=True, slots=True, repr=False)
class Ways:
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
    contrast    distance from the picture's mean gray, times 1 - this to 1 + this
    saturation  distance from each pixel's gray, times 1 - this to 1 + this
    hue         turn colors by up to this many degrees of the color circle, both ways
    blur        a Gaussian of up to this many pixels (its standard deviation)
    sharpen     add up to this many times what a small blur takes away
    noise       Gaussian noise of a standard deviation of up to this share of white
    erase       a square of up to this share of the side becomes the picture's mean
    mixup       mean of two pictures, the share from Beta(this, this)
    cutmix      a rectangle from another picture, its share from Beta(this, this)
    trivial     one operation of TrivialAugment's list, at a random strength
    untouched   this share of the pictures stays as it is
    """

    flip_horizontal: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    scale: float | tuple[float, float] = 0.0
    random_erasing: float = 0.0
    untouched: float = 0.0
    flip_vertical: bool = False
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
    trivial_augment: bool = False

    def __repr__(self) -> str:
        default = self.__dataclass_fields__
        said = (f"{k}={getattr(self, k)!r}" for k, f in default.items() if getattr(self, k) != f.default)
        return f"{type(self).__name__}({', '.join(said)})"

    @property
    def none(self) -> bool:
        """Whether pictures stay as they are."""
        return not any(getattr(self, f.name) for f in fields(self) if f.name != "untouched")

    @property
    def mixes(self) -> bool:
        """Whether two pictures become one, so that labels become shares."""
        return any(getattr(self, name) for name in MIXES)

    @property
    def alone(self) -> Self:
        """What is done to one picture without another."""
        return replace(self, **dict.fromkeys(MIXES, 0.0))

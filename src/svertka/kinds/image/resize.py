"""Pictures brought to another size by convolution over the whole area that a target pixel covers (antialiased).

The definition is Pillow's: one direction after the other, rounded to whole levels. The package cykooz.resizer (the
crate fast_image_resize) computes the bilinear one with vector instructions, five times as fast. It may begin with the
other direction, so the two differ by one level of 255 in some places, and in one of a million by two (a test). Pillow
does the rest:

- everything, where there is no wheel of that package;
- bicubic: what goes beyond 0..255 is cut off between the directions, and the two begin with different ones;
- the largest pictures, of which it keeps fewer copies: they are averaged in whole blocks first, down to three times
  the target.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from svertka.kinds.image.color_modes import Pixels
from svertka.kinds.image.preprocess import Interpolation

Box = tuple[float, float, float, float]  # left, top, right, bottom

_LARGEST = 2**26  # bytes of a picture that is not averaged in blocks first


def resample(
    pixels: Pixels, height: int, width: int, interpolation: Interpolation = "bilinear", box: Box | None = None
) -> Pixels:
    """A picture at another size: uint8 (h, w) or (h, w, 3) -> (height, width) or (height, width, 3).

    Args:
        pixels: the picture.
        height, width: pixels of the result.
        interpolation: the kernel.
        box: the part of the picture that fills the result, in its pixels; all of it where None.

    Raises:
        TypeError: the pixels are no bytes.
    """
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels are uint8; received {pixels.dtype}.")
    place = box or (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    if interpolation == "bilinear" and pixels.size <= _LARGEST and (fast := vectors()) is not None:
        return _by_vectors(fast, pixels, (width, height), place)
    return _by_pillow(pixels, (width, height), interpolation, place)


@cache
def vectors() -> Any:
    """The package that resizes by vector instructions, imported by whoever resizes; None where it is not there."""
    try:
        import cykooz_resizer
    except ImportError:
        return None
    return cykooz_resizer


def _by_pillow(pixels: Pixels, size: tuple[int, int], interpolation: Interpolation, box: Box) -> Pixels:
    kernel = Image.Resampling[interpolation.upper()]
    gap = 3.0 if pixels.size > _LARGEST else None
    return np.asarray(Image.fromarray(pixels).resize(size, kernel, box=box, reducing_gap=gap))


def _by_vectors(fast: Any, pixels: Pixels, size: tuple[int, int], box: Box) -> Pixels:
    width, height = size
    left, right = _reach(box[0], box[2], pixels.shape[1], width)
    top, bottom = _reach(box[1], box[3], pixels.shape[0], height)
    form = fast.PixelType.U8 if pixels.ndim == 2 else fast.PixelType.U8x3
    source = fast.ImageData(right - left, bottom - top, form, pixels[top:bottom, left:right].tobytes())
    target = fast.ImageData(width, height, form)
    options = fast.ResizeOptions(
        resize_alg=fast.ResizeAlg.convolution(fast.FilterType.bilinear),
        crop_box=fast.CropBox(box[0] - left, box[1] - top, box[2] - box[0], box[3] - box[1]),
        use_alpha=False,
    )
    fast.Resizer().resize(source, target, options)  # one of its own each time: threads would wait for each other
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(height, width, *pixels.shape[2:])


def _reach(start: float, end: float, pixels: int, target: int) -> tuple[int, int]:
    """From which pixel to before which one anything counts for the part between `start` and `end`."""
    far = max(1.0, (end - start) / target) + 1
    return max(0, math.floor(start - far)), min(pixels, math.ceil(end + far))

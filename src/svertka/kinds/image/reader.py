"""From a picture file to pixels of the network's size: the one way in training, prediction, evaluation and export."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from svertka.kinds.image.color_modes import Pixels
from svertka.kinds.image.decoder import decode_sized
from svertka.kinds.image.geometry import lie
from svertka.kinds.image.preprocess import Preprocess
from svertka.kinds.image.resize import resample


def read(data: bytes, preprocess: Preprocess, path: str) -> Pixels:
    """A picture file as pixels of the network's size: uint8 (height, width, channels).

    Raises:
        ReadError: the file is no picture, is damaged, or is too large.
    """
    return read_sized(data, preprocess, path)[0]


def read_sized(data: bytes, preprocess: Preprocess, path: str) -> tuple[Pixels, tuple[int, int]]:
    """Like `read`, and with it the (height, width) that the picture has at full size."""
    least = math.ceil(preprocess.height / preprocess.zoom), math.ceil(preprocess.width / preprocess.zoom)
    pixels, size = decode_sized(data, path, least=least)
    return fit(pixels, preprocess), size


def fit(pixels: Pixels, preprocess: Preprocess) -> Pixels:
    """Pixels of any size, (h, w) or (h, w, 3) -> (height, width, channels) as `preprocess` says.

    Gray is the luma of ITU-R BT.601. Resampling is bilinear or bicubic over the whole area that a target pixel covers
    (antialiased); a picture that already has the size is not resampled.
    """
    if preprocess.channels == 1 and pixels.ndim == 3:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    cropped = preprocess.fit == "crop" and preprocess.zoom < 1
    if cropped or pixels.shape[:2] != (preprocess.height, preprocess.width):
        pixels = _resized(pixels, preprocess)
    if pixels.ndim == 2:
        pixels = pixels[..., None]  # (height, width, 1)
    if pixels.shape[2] != preprocess.channels:
        pixels = np.repeat(pixels, preprocess.channels, axis=2)  # (height, width, 3)
    return pixels


def _resized(pixels: Pixels, preprocess: Preprocess) -> Pixels:
    box, (left, top, width, height) = lie(preprocess, *pixels.shape[:2])
    small = resample(pixels, height, width, preprocess.interpolation, box)
    if (height, width) == (preprocess.height, preprocess.width):
        return small
    canvas = np.empty((preprocess.height, preprocess.width, preprocess.channels), np.uint8)
    canvas[:] = [min(255, max(0, round(255 * m))) for m in preprocess.mean]
    canvas[top : top + height, left : left + width] = small if small.ndim == 3 else small[..., None]
    return canvas

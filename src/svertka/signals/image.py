"""From a picture file to pixels of the network's size: the one way in training, prediction, evaluation and export."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from svertka.signals.geometry import lie
from svertka.signals.modes import Pixels
from svertka.signals.pixels import decode_sized
from svertka.signals.preprocess import Preprocess


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

    Grey is the luma of ITU-R BT.601. Resampling is bilinear over the whole area that a target pixel covers
    (antialiased); a picture that already has the size is not resampled.
    """
    height, width = preprocess.height, preprocess.width
    if pixels.shape[:2] != (height, width) or (preprocess.fit == "crop" and preprocess.zoom < 1):
        image = Image.fromarray(pixels)
        if preprocess.channels == 1 and image.mode != "L":
            image = image.convert("L")
        pixels = _resized(image, preprocess)
    elif preprocess.channels == 1 and pixels.ndim == 3:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    if pixels.ndim == 2:
        pixels = pixels[..., None]  # (height, width, 1)
    if pixels.shape[2] != preprocess.channels:
        pixels = np.repeat(pixels, preprocess.channels, axis=2)  # (height, width, 3)
    return pixels


def _resized(image: Image.Image, preprocess: Preprocess) -> Pixels:
    width, height = preprocess.width, preprocess.height
    if preprocess.fit == "stretch":
        return np.asarray(_scaled(image, (width, height), preprocess))
    box, (left, top, *inner) = lie(preprocess, image.height, image.width)
    if preprocess.fit == "crop":
        return np.asarray(_scaled(image, (width, height), preprocess, box))
    ground = [min(255, max(0, round(255 * m))) for m in preprocess.mean]
    canvas = np.empty((height, width, preprocess.channels), np.uint8)
    canvas[:] = ground
    small = np.asarray(_scaled(image, (inner[0], inner[1]), preprocess))
    canvas[top : top + inner[1], left : left + inner[0]] = small if small.ndim == 3 else small[..., None]
    return canvas


def _scaled(
    image: Image.Image,
    size: tuple[int, int],
    preprocess: Preprocess,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    kernel = Image.Resampling[preprocess.interpolation.upper()]
    # reducing_gap: a far reduction first averages whole blocks down to three times the target; nobody sees it
    return image.resize(size, kernel, box=box, reducing_gap=3.0)

"""Pillow's modes -> 8-bit gray or RGB, as a person would see the picture.

- Transparent pictures are composed on white.
- 16-bit gray is scaled by the range of the format; numbers without a stated range by their own extremes.
- Large pictures are converted in strips, so that each is in memory only once in each form.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Convert = Callable[[Image.Image], Pixels]

_STRIP = 2**21  # pixels converted at once
_GRAY = frozenset(["1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"])


def is_gray(image: Image.Image) -> bool:
    """Whether the picture holds gray only, told from its mode and palette; its pixels need not be loaded."""
    return image.mode in _GRAY or _gray_palette(image)


def bytes_per_pixel(image: Image.Image) -> int:
    """What a pixel takes while it is decoded and converted: Pillow's own form and the array."""
    return 2 if image.mode in ("1", "L") else 4 if image.mode == "P" else 7


def to_array(image: Image.Image) -> Pixels:
    """uint8 (height, width) of a gray picture, else (height, width, 3); decoded first where that is to do."""
    convert = _converter(image)
    width, height = image.size
    if width * height <= _STRIP:
        return convert(image)
    rows = max(1, _STRIP // width)
    whole: Pixels | None = None
    for top in range(0, height, rows):
        strip = convert(image.crop((0, top, width, min(top + rows, height))))  # (rows, width) or (rows, width, 3)
        if whole is None:
            whole = np.empty((height, *strip.shape[1:]), np.uint8)
        whole[top : top + len(strip)] = strip
    return whole if whole is not None else convert(image)


def _converter(image: Image.Image) -> Convert:
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" not in image.info:
        return _array
    image.load()  # palettes and transparency may stand behind the pixels
    clear = image.has_transparency_data
    if mode == "I" or mode.startswith("I;16"):
        return _deep_gray(image)
    if mode == "F":
        return _stretched(image)
    if is_gray(image):
        return _gray_on_white if clear else lambda part: _array(part.convert("L"))
    if mode == "LAB":
        return _lab
    return _color_on_white if clear else lambda part: _array(part.convert("RGB"))


def _array(image: Image.Image) -> Pixels:
    shape = (image.height, image.width) if image.mode == "L" else (image.height, image.width, -1)
    return np.frombuffer(bytearray(image.tobytes()), np.uint8).reshape(shape)


def _color_on_white(part: Image.Image) -> Pixels:
    pixels = _array(part.convert("RGBA"))  # (h, w, 4)
    color, opacity = pixels[..., :3], pixels[..., 3:].astype(np.uint16)
    return _mixed(color, opacity)


def _gray_on_white(part: Image.Image) -> Pixels:
    if part.mode == "La":
        part = part.convert("LA")
    pixels = _array(part if part.mode == "LA" else part.convert("RGBA"))  # (h, w, 2 or 4)
    return _mixed(pixels[..., 0], pixels[..., -1].astype(np.uint16))


def _mixed(color: Pixels, opacity: npt.NDArray[np.uint16]) -> Pixels:
    mixed = color * opacity + np.uint16(255) * (np.uint16(255) - opacity)  # at most 255 * 255: fits
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def _deep_gray(image: Image.Image) -> Convert:
    """0..65535 -> 0..255, whatever the picture makes of the range; a wider range by its own extremes."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        return _stretched(image)
    clear = image.info.get("transparency")

    def scaled(part: Image.Image) -> Pixels:
        deep = np.asarray(part).astype(np.uint32)
        gray = ((deep + 128) // 257).astype(np.uint8)
        if isinstance(clear, int):
            gray[deep == clear] = 255
        return gray

    return scaled


def _stretched(image: Image.Image) -> Convert:
    """Numbers without a stated range: 0..1 where all lie in it, else from the least to the greatest."""
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    span = (high - low) or 1.0

    def scaled(part: Image.Image) -> Pixels:
        deep = np.nan_to_num(np.asarray(part, np.float64), nan=low, posinf=high, neginf=low)
        return np.asarray(np.rint((deep - low) / span * 255), np.uint8)

    return scaled


def _lab(part: Image.Image) -> Pixels:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(part, lab, srgb, outputMode="RGB")
    return _array(turned if turned is not None else part.convert("RGB"))


def _gray_palette(image: Image.Image) -> bool:
    if image.mode != "P":
        return False
    entries = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool(entries.size and (entries == entries[:, :1]).all())

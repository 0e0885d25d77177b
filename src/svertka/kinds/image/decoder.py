"""Bytes of a picture file -> pixels, as a person would see it: upright, the first frame, composed on white.

The common JPEG goes through simplejpeg, which gives Pillow's pixels at a multiple of its speed, and the plain small
PNG around Pillow's parser; everything else, and every file that these find a fault with, through Pillow. A JPEG at
least twice as large as needed is decoded at 1/2, 1/4 or 1/8 of its size: its lower cosines tell that.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from svertka.kinds.image.color_modes import Pixels, bytes_per_pixel, is_gray, to_array
from svertka.kinds.image.formats import FAINT, picture_format
from svertka.kinds.image.jpeg_segments import scan_start
from svertka.kinds.image.limits import check_passes, check_size, quiet_pillow, read_error
from svertka.kinds.image.png import decode_plain_png, without_texts

Size = tuple[int, int]  # (height, width)

_REDUCTIONS = (8, 4, 2)  # for others libjpeg-turbo has no vector code, and they take longer than full size does
_HEAD = 2**18  # bytes of a JPEG in which its EXIF and XMP blocks are looked for
_ORIENTATION = 0x0112
_EXIF_KEYS = frozenset(["exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"])


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file says of itself: format, size as a person sees it, and whether it is gray."""

    format: str
    height: int
    width: int
    gray: bool


def decode(data: bytes, path: str, *, least: Size | None = None) -> Pixels:
    """The pixels of a picture, upright: uint8 (height, width) if it is gray, else RGB (height, width, 3).

    Args:
        data: the bytes of the file.
        path: how to call the file in an error.
        least: the least (height, width) that the result must have; a larger JPEG may come back reduced.

    Raises:
        ReadError: the file is no picture, is damaged, or is too large.
    """
    return decode_sized(data, path, least=least)[0]


def decode_sized(data: bytes, path: str, *, least: Size | None = None) -> tuple[Pixels, Size]:
    """Like `decode`, and with it the (height, width) that the picture has at full size."""
    try:
        kind = picture_format(data)
        found = None
        if kind == "JPEG":
            found = _decode_common_jpeg(data, least)
        elif kind == "PNG" and (pixels := decode_plain_png(data)) is not None:
            return pixels, pixels.shape[:2]
        if found is None:
            with quiet_pillow:
                found = _decode_by_pillow(data, kind, least)
        return found
    except Exception as why:  # a hostile file provokes anything: struct.error, SyntaxError, MemoryError ...
        raise read_error(why, data, path) from why


def header(data: bytes, path: str) -> Header:
    """What the header of a picture file says; the pixels are not decoded.

    Raises:
        ReadError: the file is no picture, its header is damaged, or it is too large.
    """
    try:
        with quiet_pillow:
            image = _open(data, picture_format(data))
            height, width = _size(image, _turn(image))
            return Header(image.format or "?", height, width, is_gray(image))
    except Exception as why:  # as above
        raise read_error(why, data, path) from why


def _decode_common_jpeg(data: bytes, least: Size | None) -> tuple[Pixels, Size] | None:
    """A JPEG in YCbCr or gray, by simplejpeg; None where it is less common or damaged: Pillow decides."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray"):
            return None
        head = scan_start(data)
        turn = _jpeg_turn(data, head)
        factor = 1 if least is None else _reduction((height, width), (least[1], least[0]) if turn >= 5 else least)
        rows, columns = -(-height // factor), -(-width // factor)
        depth = 1 if space == "Gray" else 3
        check_size(height, width, depth * rows * columns + _coefficients(data, head, height, width) + len(data))
        form = "GRAY" if depth == 1 else "RGB"
        pixels = simplejpeg.decode_jpeg(data, form, min_height=rows, min_width=columns, min_factor=factor)
    except ValueError:
        return None
    pixels = _upright(pixels[..., 0] if depth == 1 else pixels, turn)
    return pixels, (width, height) if turn >= 5 else (height, width)


def _reduction(size: Size, least: Size) -> int:
    """The greatest part of its size at which a JPEG may be decoded so that `least` is left."""
    return next((k for k in _REDUCTIONS if all(-(-side // k) >= few for side, few in zip(size, least, strict=True))), 1)


def _decode_by_pillow(data: bytes, kind: str | None, least: Size | None) -> tuple[Pixels, Size]:
    image = _open(data, kind)
    width, height = image.size
    kept = len(data)
    if kind == "JPEG":
        kept += _coefficients(data, scan_start(data), height, width)
        if least is not None:
            image.draft(None, (max(least), max(least)))  # either way round: its orientation is not known yet
    check_size(height, width, bytes_per_pixel(image) * image.width * image.height + kept)
    pixels = to_array(image)
    turn = 1 if kind == "PNG" and _EXIF_KEYS.isdisjoint(image.info) else _turn(image)
    return _upright(pixels, turn), (width, height) if turn >= 5 else (height, width)


def _open(data: bytes, kind: str | None) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=(kind,) if kind else FAINT)
    except ValueError as why:
        if kind != "PNG" or "MAX_TEXT" not in str(why):
            raise
        image = Image.open(io.BytesIO(without_texts(data)), formats=("PNG",))
    check_size(image.height, image.width)
    return image


def _coefficients(jpeg: bytes, head: int, height: int, width: int) -> int:
    """Bytes in which a progressive JPEG keeps its cosine coefficients until its last pass; 0 for another."""
    if jpeg.find(b"\xff\xc2", 0, head) < 0:
        return 0
    check_passes(jpeg)
    return 2 * 3 * height * width


def _size(image: Image.Image, turn: int) -> Size:
    return (image.width, image.height) if turn >= 5 else (image.height, image.width)


def _jpeg_turn(data: bytes, head: int) -> int:
    """The orientation of a JPEG; Pillow is asked only where there is a block that could tell."""
    head = min(head, _HEAD)
    if data.find(b"Exif\0\0", 0, head) < 0 and data.find(b"tiff:Orientation", 0, head) < 0:
        return 1
    with quiet_pillow:
        return _turn(_open(data, "JPEG"))


def _turn(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block that should tell is damaged."""
    if image.format == "TIFF":  # Pillow turns these itself, in size and pixels
        return 1
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block raises anything, and says nothing about the pixels
        return 1
    return turn if turn in range(1, 9) else 1


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo an EXIF orientation: 1 is upright, 2 to 8 are the other symmetries of a rectangle."""
    if turn == 1:
        return pixels
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)

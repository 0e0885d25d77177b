"""Bytes of a picture file -> pixels, as a person would see it.

- Upright (EXIF), first frame, composed on white where it is transparent, 16-bit grey scaled to 8 bits.
- The common JPEG goes through simplejpeg, which gives Pillow's pixels at a multiple of its speed; the rest through Pillow.
- A JPEG much larger than needed is decoded reduced, by whole parts of its cosine blocks.
- A file that would need more than MEMORY bytes, or claims more than PIXELS pixels, is refused from its header.
- Whatever a hostile file provokes comes out as ReadError with a short reason.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from svertka.errors import ReadError
from svertka.signals.formats import FAINT, other_kind, picture_format

Pixels = npt.NDArray[np.uint8]

PIXELS = 2**27  # the most that a header may claim, whatever the format
MEMORY = 450_000_000  # bytes that decoding one file may take, the file itself included
_SCANS = 500  # passes of a progressive JPEG; an honest one has about ten, a hostile one makes each pass cost seconds
_STRIP = 2**21  # pixels converted at once, so that a large picture is in memory only once in each form
_EXIF_HEAD = 2**18  # bytes of a JPEG in which its EXIF and XMP blocks are looked for
_ORIENTATION = 0x0112
_EXIF_KEYS = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file says of itself: its format, its size as a person sees it, and whether it is grey."""

    format: str
    height: int
    width: int
    grey: bool


def decode(data: bytes, path: str, *, least: tuple[int, int] | None = None) -> Pixels:
    """The pixels of a picture file: uint8 (height, width) if it is grey, else (height, width, 3) RGB, upright.

    Args:
        data: the bytes of the file.
        path: how to call the file in an error.
        least: the least (height, width) that the result must have; a larger JPEG may come back reduced.

    Raises:
        ReadError: the file is no picture, is damaged, or is too large.
    """
    return decode_sized(data, path, least=least)[0]


def decode_sized(
    data: bytes, path: str, *, least: tuple[int, int] | None = None
) -> tuple[Pixels, tuple[int, int]]:
    """Like `decode`, and with it the (height, width) that the picture has at full size."""
    with _speaking_of(data, path):
        kind = picture_format(data[:16])
        if kind == "JPEG":
            found = _decode_common_jpeg(data, least)
            if found is not None:
                return found
        return _decode_by_pillow(data, kind, least)


def header(data: bytes, path: str) -> Header:
    """What the header of a picture file says; the pixels are not decoded.

    Raises:
        ReadError: the file is no picture, its header is damaged, or it is too large.
    """
    with _speaking_of(data, path):
        kind = picture_format(data[:16])
        with quiet_pillow(), _open(data, kind) as image:
            turned = _turn(image) >= 5
            width, height = (image.height, image.width) if turned else image.size
            grey = image.mode in _GREY_MODES or _grey_palette(image)
            return Header(image.format or "?", height, width, grey)


def looks_like_picture(head: bytes) -> bool:
    """Whether the first bytes (16 are enough) announce a picture."""
    return picture_format(head) is not None


# -- JPEG ---------------------------------------------------------------------------------------------------------


def _decode_common_jpeg(data: bytes, least: tuple[int, int] | None) -> tuple[Pixels, tuple[int, int]] | None:
    """A JPEG in YCbCr or grey, by simplejpeg; None where it is anything less common, or damaged: Pillow decides then."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray"):
            return None
        turn = _jpeg_turn(data)
        if turn >= 5 and least is not None:
            least = least[1], least[0]
        rows, columns = least if least is not None else (0, 0)
        asked = {"min_height": rows, "min_width": columns, "min_factor": 2} if least is not None else {}
        if asked:
            rows, columns = simplejpeg.decode_jpeg_header(data, **asked)[:2]
        else:
            rows, columns = height, width
        depth = 1 if space == "Gray" else 3
        progressive = b"\xff\xc2" in data
        coefficients = 2 * depth * height * width if progressive else 0
        _check_size(height, width, depth * rows * columns + coefficients + len(data))
        if progressive and data.count(b"\xff\xda") > _SCANS:
            raise _Refused(f"a progressive JPEG of more than {_SCANS} passes")
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if depth == 1 else "RGB", **asked)
    except ValueError:
        return None
    pixels = _upright(pixels[..., 0] if depth == 1 else pixels, turn)
    return pixels, (width, height) if turn >= 5 else (height, width)


def _jpeg_turn(data: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 to 8; Pillow is asked only where there is a block that could hold one."""
    if data.find(b"Exif\0\0", 0, _EXIF_HEAD) < 0 and data.find(b"tiff:Orientation", 0, _EXIF_HEAD) < 0:
        return 1
    with quiet_pillow(), _open(data, "JPEG") as image:
        return _turn(image)


# -- everything else ----------------------------------------------------------------------------------------------


def _decode_by_pillow(
    data: bytes, kind: str | None, least: tuple[int, int] | None
) -> tuple[Pixels, tuple[int, int]]:
    with quiet_pillow(), _open(data, kind) as image:
        width, height = image.size
        if kind == "JPEG" and least is not None:
            image.draft(None, (max(least), max(least)))  # type: ignore[arg-type]  # None keeps the mode
        if kind == "JPEG" and data.count(b"\xff\xda") > _SCANS:
            raise _Refused(f"a progressive JPEG of more than {_SCANS} passes")
        bytes_each = 2 if image.mode in ("1", "L") else 4 if image.mode == "P" else 7
        _check_size(height, width, bytes_each * image.width * image.height + len(data))
        image.load()
        turn = _turn(image) if kind != "PNG" or image.info.keys() & _EXIF_KEYS else 1
        pixels = _upright(_to_array(image), turn)
        return pixels, (width, height) if turn >= 5 else (height, width)


def _open(data: bytes, kind: str | None) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=(kind,) if kind else FAINT)
    if image.width * image.height > PIXELS:
        raise _Refused(_too_large(image.height, image.width))
    return image


def _turn(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block that should say so is damaged."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block raises anything at all, and says nothing about the pixels
        return 1
    return turn if turn in range(1, 9) else 1


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo the EXIF orientation `turn` (1 upright, 2 to 8 the other symmetries of a rectangle)."""
    if turn == 1:
        return pixels
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


# -- modes --------------------------------------------------------------------------------------------------------

_GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def _to_array(image: Image.Image) -> Pixels:
    """A loaded picture in any of Pillow's modes -> uint8 (height, width) or (height, width, 3)."""
    convert = _converter(image)
    width, height = image.size
    if width * height <= _STRIP:
        return convert(image)
    rows = max(1, _STRIP // width)
    whole: Pixels | None = None
    for top in range(0, height, rows):
        strip = convert(
            image.crop((0, top, width, min(top + rows, height)))
        )  # (rows, width) or (rows, width, 3)
        if whole is None:
            whole = np.empty((height, *strip.shape[1:]), np.uint8)
        whole[top : top + len(strip)] = strip
    assert whole is not None  # noqa: S101  a picture has at least one row
    return whole


def _converter(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    mode, clear = image.mode, "transparency" in image.info
    if mode in ("L", "RGB") and not clear:
        return _array
    if mode == "I" or mode.startswith("I;16"):
        return _deep_grey(image)
    if mode == "F":
        return _stretched(image)
    if mode in ("1", "L", "LA", "La"):
        return (
            (lambda part: _on_white(_array(part.convert("LA")))[..., 0])
            if clear or "a" in mode.lower()
            else (lambda part: _array(part.convert("L")))
        )
    if mode == "P":
        form = "RGBA" if clear else "RGB"
        if _grey_palette(image):
            return lambda part: _on_white(_array(part.convert(form)))[..., 0]
        return lambda part: _on_white(_array(part.convert(form)))
    if mode in ("RGB", "RGBA", "RGBa", "PA"):
        return lambda part: _on_white(_array(part.convert("RGBA")))
    if mode == "LAB":
        return _lab
    return lambda part: _array(part.convert("RGB"))


def _array(image: Image.Image) -> Pixels:
    depth = len(image.getbands())
    flat = np.frombuffer(bytearray(image.tobytes()), np.uint8)
    return flat.reshape((image.height, image.width, depth)[: 2 if depth == 1 else 3])


def _on_white(pixels: Pixels) -> Pixels:
    """(h, w, c) with the last channel its opacity -> (h, w, c - 1) over white; RGB (h, w, 3) is given back."""
    if pixels.shape[-1] == 3:
        return pixels
    colour, opacity = pixels[..., :-1], pixels[..., -1:].astype(np.uint16)
    mixed = colour * opacity + np.uint16(255) * (np.uint16(255) - opacity)  # at most 255 * 255
    mixed = (mixed + np.uint16(127)) // np.uint16(255)
    return mixed.astype(np.uint8)


def _deep_grey(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    """16 bits of grey to 8, by the range of the format and not of the picture; a larger range by its own extremes."""
    low, high = (float(v) for v in image.getextrema())  # type: ignore[arg-type,union-attr]
    clear = image.info.get("transparency")
    if low < 0 or high > 65535:
        return _stretched(image)

    def shrink(part: Image.Image) -> Pixels:
        values = np.asarray(part).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)
        if isinstance(clear, int):
            grey[values == clear] = 255
        return grey

    return shrink


def _stretched(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    """Numbers without a stated range: 0..1 where they lie in it, else from the least to the greatest."""
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0

    def shrink(part: Image.Image) -> Pixels:
        scaled = (np.nan_to_num(np.asarray(part, np.float64), nan=low, posinf=high, neginf=low) - low) / (
            (high - low) or 1.0
        )
        return np.asarray(np.rint(scaled * 255).clip(0, 255), np.uint8)

    return shrink


def _lab(part: Image.Image) -> Pixels:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(part, lab, srgb, outputMode="RGB")
    return _array(turned if turned is not None else part.convert("RGB"))


def _grey_palette(image: Image.Image) -> bool:
    if image.mode != "P":
        return False
    entries = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool(entries.size and (entries == entries[:, :1]).all())


# -- refusals -----------------------------------------------------------------------------------------------------


class _Refused(Exception):
    """A file is turned down for a reason that is already in words."""


def _check_size(height: int, width: int, needed: int) -> None:
    if height * width > PIXELS or needed > MEMORY:
        raise _Refused(_too_large(height, width))


def _too_large(height: int, width: int) -> str:
    return f"it claims {width} x {height} pixels, too large to decode safely"


@contextmanager
def _speaking_of(data: bytes, path: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one ReadError."""
    if not data:
        raise ReadError(path, "the file is empty")
    try:
        yield
    except ReadError:
        raise
    except (
        Exception
    ) as why:  # a hostile file provokes anything: struct.error, ValueError, SyntaxError, MemoryError ...
        raise ReadError(path, _reason(why, data)) from why


def _reason(why: Exception, data: bytes) -> str:
    if isinstance(why, _Refused):
        return str(why)
    if isinstance(why, Image.DecompressionBombError):
        size = re.search(r"\((\d+) pixels\)", str(why))
        return f"it claims {size[1] if size else 'too many'} pixels, too large to decode safely"
    if isinstance(why, MemoryError):
        return "there is not enough memory to decode it"
    if isinstance(why, UnidentifiedImageError):
        kind = picture_format(data[:16])
        if kind is None:
            return (
                f"it is {other_kind(data[:64])}, not a picture"
                if "picture" not in (other := other_kind(data[:64]))
                else f"it is {other}"
            )
        return f"the {kind} picture has a damaged header"
    if isinstance(why, (OSError, EOFError, struct.error)) and re.search(
        "truncated|unexpected end", str(why), re.I
    ):
        return "the picture is cut short"
    if isinstance(why, zlib.error):
        return "the compressed pixels are damaged"
    return "the picture is damaged"


# -- warnings -----------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_listeners = 0
_saved: Any = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings from Pillow meanwhile.

    `warnings.catch_warnings` is not made for threads that enter and leave in any order; so the first to enter changes the
    filters and the last to leave puts them back.
    """
    global _listeners, _saved
    with _lock:
        if _listeners == 0:
            _saved = warnings.catch_warnings()
            _saved.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _listeners += 1
    try:
        yield
    finally:
        with _lock:
            _listeners -= 1
            if _listeners == 0:
                _saved.__exit__(None, None, None)
                _saved = None

"""What the bytes of a picture file tell beside its pixels: format, JPEG quality and camera.

None of it is part of the picture, and so no class should be told by it; `svertka check` looks whether one can.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from svertka.kinds.image.formats import FAINT, MAGIC, picture_format
from svertka.kinds.image.jpeg_segments import scan_start, segments

# Numbers of formats, as kept in a store: new ones only at the end.
FORMATS: tuple[str, ...] = ("?", *dict.fromkeys([*(name for *_, name in MAGIC), *FAINT]))

_HEAD = 2**18  # bytes in which the EXIF block is looked for
_EXIF = b"Exif\0\0"
_MAKE, _MODEL = 0x010F, 0x0110
_CAMERA = 24  # letters of a camera's name that are kept
# What libjpeg divides the cosines of brightness by at quality 50 (ISO 10918-1, table K.1).
_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traces:
    """What a file tells beside its pixels.

    format   index into FORMATS
    quality  1 to 100, of the table of a JPEG on libjpeg's scale; 0 for another format
    camera   maker and model out of the EXIF block; "" where there is none
    """

    format: int = 0
    quality: int = 0
    camera: str = ""


_BARE = {kind: Traces(number) for number, kind in enumerate(FORMATS)}  # what most small files tell


def traces(data: bytes) -> Traces:
    """The traces in the bytes of one picture file; never raises."""
    kind = picture_format(data)
    if kind is None:
        return _BARE["?"]
    if kind != "JPEG" and data.find(_EXIF, 0, _HEAD) < 0:
        return _BARE[kind]
    quality = jpeg_quality(data) if kind == "JPEG" else 0
    return Traces(_BARE[kind].format, quality, _camera(data))


def jpeg_quality(data: bytes) -> int:
    """The quality at which a JPEG was saved, judged by its table for brightness: 1 to 100, or 0 where it has none.

    libjpeg scales one table to every quality (jcparam.c); another program's table counts as the nearest by its sum.
    """
    table = _brightness_table(data)
    return _nearest_quality(sum(table)) if table else 0


@lru_cache(maxsize=256)
def _nearest_quality(total: int) -> int:
    return min(range(1, 101), key=lambda quality: abs(_sum_of_table(quality) - total))


@lru_cache(maxsize=100)
def _sum_of_table(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (entry * scale + 50) // 100)) for entry in _TABLE)


def _brightness_table(data: bytes) -> tuple[int, ...]:
    """The 64 numbers of table 0, of those before the first scan; () where there are none."""
    for marker, start, end in segments(data):
        while marker == 0xDB and start < end:
            wide, number = data[start] >> 4, data[start] & 15
            stop = start + 1 + 64 * (1 + wide)
            if number == 0 and wide < 2 and stop <= end:
                return struct.unpack(">64H" if wide else "64B", data[start + 1 : stop])
            start = stop
    return ()


def _camera(data: bytes) -> str:
    """Maker and model out of an EXIF block, or ""."""
    place = data.find(_EXIF, 0, min(_HEAD, scan_start(data)))
    if place < 0:
        return ""
    exif = Image.Exif()
    try:
        exif.load(data[place : place + 2**16])
        words = [str(exif.get(tag) or "") for tag in (_MAKE, _MODEL)]
    except Exception:  # a broken block raises anything, and tells of no camera
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in " ".join(words)).split())[:_CAMERA]

"""The plain PNG: a small picture of 8-bit gray or RGB whose pixels are all that it says.

Pillow parses a PNG in Python, which takes five times as long as decoding 28 x 28 pixels does. Here the chunks are
walked and checked in a few steps, and Pillow's own decoder, which is compiled, is given the pixels. Whatever is unusual
or damaged is left to Pillow itself, which then says what is wrong.
Format: https://www.w3.org/TR/png-3/, section 11.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from svertka.kinds.image.color_modes import Pixels

_LARGEST = 2**16  # pixels; beyond, Pillow's parsing is a small part
_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER = struct.Struct(">II5sI")  # width, height, (depth, color, compression, filter, interlace), checksum
_CHUNK = struct.Struct(">I4s")  # length, name
_LENGTH = struct.Struct(">I")
_MODES = {bytes([8, 0, 0, 0, 0]): "L", bytes([8, 2, 0, 0, 0]): "RGB"}
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_SILENT = frozenset([b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"tIME"])  # chunks that change no pixel of ours
_core: Any = getattr(Image, "core")  # noqa: B009  compiled, and not declared
_KNOWN = all(hasattr(_core, name) for name in ("new", "zip_decoder", "raw_encoder"))


def decode_plain_png(data: bytes) -> Pixels | None:
    """uint8 (height, width) or (height, width, 3), as Pillow decodes it; None where that is Pillow's to do."""
    if not (_KNOWN and data.startswith(_START) and data.endswith(_END) and len(data) >= 57):
        return None
    width, height, kind, checksum = _HEADER.unpack_from(data, 16)
    mode = _MODES.get(kind)
    if mode is None or not 0 < width * height <= _LARGEST or zlib.crc32(data[12:29]) != checksum:
        return None
    packed = _packed(data)
    if packed is None:
        return None
    image = _core.new(mode, (width, height))
    box = (0, 0, width, height)
    decoder = _core.zip_decoder(mode, mode)
    decoder.setimage(image, box)
    used, error = decoder.decode(packed)
    if used >= 0 or error:  # it wants more than there is, or cannot go on
        return None
    encoder = _core.raw_encoder(mode, mode)
    encoder.setimage(image, box)
    size = width * height * len(mode)
    _, error, raw = encoder.encode(size)
    if error < 0 or len(raw) != size:
        return None
    return np.frombuffer(raw, np.uint8).reshape((height, width) if mode == "L" else (height, width, 3))


def _packed(data: bytes) -> bytes | None:
    """The compressed pixels; None where a chunk is damaged or of a kind that may matter."""
    at, stop = 33, len(data) - 12
    parts: list[bytes] = []
    while at < stop:
        length, name = _CHUNK.unpack_from(data, at)
        end = at + 8 + length
        if end + 4 > stop or zlib.crc32(data[at + 4 : end]) != _LENGTH.unpack_from(data, end)[0]:
            return None
        if name == b"IDAT":
            parts.append(data[at + 8 : end])
        elif parts or name not in _SILENT:
            return None
        at = end + 4
    if at != stop or not parts:
        return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def without_texts(data: bytes) -> bytes:
    """The same PNG without its texts and color profile, which may be larger than Pillow reads."""
    kept, place = [data[:8]], 8
    while place + 8 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.append(data[place:end])
        place = end
    return b"".join(kept)

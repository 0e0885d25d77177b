"""The plain PNG around Pillow's parser: Pillow's own pixels, or left to Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from svertka.errors import ReadError
from svertka.kinds.image import decode
from svertka.kinds.image.png import decode_plain_png


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def encoded(pixels: np.ndarray, filters: list[int], parts: int = 1, extra: bytes = b"", level: int = 6) -> bytes:
    """A PNG by the definition of its filters (PNG 3, section 9), each row with one of its own."""
    h, w, c = pixels.shape
    deep = pixels.astype(int).reshape(h, w * c)
    raw = b""
    for y in range(h):
        left = np.concatenate([np.zeros(c, int), deep[y, :-c]]) if w > 1 else np.zeros(c, int)
        up = deep[y - 1] if y else np.zeros(w * c, int)
        corner = np.concatenate([np.zeros(c, int), up[:-c]]) if w > 1 else np.zeros(c, int)
        guess = left + up - corner
        far = np.stack([abs(guess - left), abs(guess - up), abs(guess - corner)])
        paeth = np.choose(far.argmin(0), [left, up, corner])
        predicted = [0 * left, left, up, (left + up) // 2, paeth][filters[y % len(filters)]]
        raw += bytes([filters[y % len(filters)]]) + ((deep[y] - predicted) % 256).astype(np.uint8).tobytes()
    packed = zlib.compress(raw, level)
    step = -(-len(packed) // parts)
    idat = b"".join(chunk(b"IDAT", packed[k : k + step]) for k in range(0, len(packed), step))
    head = struct.pack(">IIBBBBB", w, h, 8, 0 if c == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + idat + chunk(b"IEND", b"")


@given(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 3), st.integers(0, 9),
)  # fmt: skip
@settings(deadline=None)
def test_pixels_come_back(h, w, c, seed, filters, parts, level):
    pixels = np.random.default_rng(seed).integers(0, 256, (h, w, c)).astype(np.uint8)
    data = encoded(pixels, filters, parts, level=level)
    found = decode_plain_png(data)
    assert found is not None
    np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(data))))


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_what_is_damaged_is_never_taken_for_whole(data):
    """One byte changed anywhere: either Pillow sees the same pixels in it, or it is left to Pillow."""
    whole = bytearray(encoded(PIXELS, [0, 1, 2, 3, 4]))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    assert decode_plain_png(bytes(whole)) is None


@given(st.integers(0, 200))
def test_a_cut_file_is_left_to_pillow(length):
    whole = encoded(PIXELS, [1, 4])
    assert decode_plain_png(whole[: min(length, len(whole) - 1)]) is None


def test_pixels_that_end_early_are_those_of_pillow():
    short = encoded(PIXELS[:4], [0])
    data = short[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 9, 8, 2, 0, 0, 0)) + short[33:]
    np.testing.assert_array_equal(decode_plain_png(data), np.asarray(Image.open(io.BytesIO(data))))


def orientation() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("XML:com.adobe.xmp", 'tiff:Orientation="6"')
    return info


@pytest.mark.parametrize(
    ("mode", "options"),
    [("P", {}), ("LA", {}), ("RGBA", {}), ("1", {}), ("I;16", {}), ("RGB", {"transparency": (1, 2, 3)}),
     ("L", {"transparency": 5}),
     ("RGB", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}), ("RGB", {"pnginfo": orientation()})],
)  # fmt: skip
def test_the_unusual_is_left_to_pillow(mode, options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert("L" if mode == "I;16" else mode).convert(mode).save(file, "PNG", **options)
    assert decode_plain_png(file.getvalue()) is None
    assert decode(file.getvalue(), "x").shape[:2] in ((9, 7), (7, 9))


def test_silent_chunks_change_nothing():
    extra = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"pHYs", struct.pack(">IIB", 1, 1, 1))
    found = decode_plain_png(encoded(PIXELS, [4], extra=extra))
    assert found is not None
    np.testing.assert_array_equal(found, PIXELS)
    assert decode_plain_png(encoded(PIXELS, [4], extra=chunk(b"acTL", bytes(8)))) is None


def test_another_checksum_is_refused_in_words():
    whole = bytearray(encoded(PIXELS, [0]))
    whole[60] ^= 1
    with pytest.raises(ReadError):
        decode(bytes(whole), "x.png")

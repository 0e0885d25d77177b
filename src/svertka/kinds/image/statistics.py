"""Facts of each picture that cost little while its pixels are at hand, and that `svertka.audit` judges later.

The decode workers compute them, a chunk of pictures at a time, and the store keeps them as one more column. The
perceptual fingerprint is the lowest cosines (DCT-II, orthonormal) of the gray picture without its mean, scaled to
length one, as in pHash (Zauner 2010) but not rounded to bits: what re-encoding and resizing change lies in the high
cosines, so copies stay within a few hundredths of each other, and near ones are found by a tree and not by all pairs.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

from svertka.kinds.image.metadata import traces

COSINES = 32  # numbers of a fingerprint
_SIDE = 8  # they are the lowest of 8 x 8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_EVEN = 2  # gray levels by which neighbors may differ and still be one even area
_TOGETHER = 4  # colors that become grays in one row of a product
_BLOCK = 2**16  # numbers of pixels measured at once
_RING = 16  # the border is a ring one sixteenth of the side wide

FACTS = np.dtype(
    [
        ("fingerprint", "<f2", (COSINES,)),  # of length one, or zeros where the picture is of one gray
        ("mean", "<f4"),  # of gray levels, 0..255
        ("deviation", "<f4"),  # standard, of gray levels
        ("sharpness", "<f4"),  # variance of the Laplacian of gray levels, at the store's size
        ("even", "<f4"),  # share of pixels that equal their right and lower neighbors
        ("border", "u1", (3,)),  # mean color of the outermost ring
        ("format", "u1"),  # index into signals.traces.FORMATS
        ("quality", "u1"),  # of a JPEG, 1..100; else 0
        ("camera", "<u4"),  # CRC-32 of maker and model, 0 where there are none: which ones are alike is all we ask
    ]
)


def file_facts(data: bytes) -> dict[str, int]:
    """What FACTS keeps of the bytes of one file."""
    found = traces(data)
    camera = zlib.crc32(found.camera.encode())  # that of nothing is 0
    return {"format": found.format, "quality": found.quality, "camera": camera}


def picture_facts(pixels: np.ndarray) -> np.ndarray:
    """Everything in FACTS that the pixels tell: uint8 (k, h, w, c) -> FACTS (k,)."""
    k, h, w, c = pixels.shape
    facts = np.zeros(k, FACTS)
    if k == 0:
        return facts
    step = max(1, _BLOCK // max(1, h * w * c))
    # sums of a few pictures at a time, which all steps find in the processor's cache; what follows from sums, at once
    sums = (_sums(pixels[first : first + step]) for first in range(0, k, step))
    total, squares, low, ring, edge, edges, even = map(np.concatenate, zip(*sums, strict=True))
    length = np.sqrt(squares)
    facts["mean"], facts["deviation"] = total / (h * w), length / np.sqrt(h * w)
    low = low.transpose(0, 2, 1).reshape(k, -1)[:, _by_frequency()]
    facts["fingerprint"] = np.where(length[:, None] > 1e-3, low / np.maximum(length, 1e-3)[:, None], 0)
    border = _added(ring) / (h * w - np.prod([max(0, side - 2 * _ring_width(h, w)) for side in (h, w)]))
    facts["border"] = np.broadcast_to(border.repeat(3 // c, 1), (k, 3)).round()
    if min(h, w) >= 3:
        inner = (h - 2) * (w - 2)
        facts["sharpness"] = edges / inner - np.square(edge / inner)
        facts["even"] = even / ((h - 1) * (w - 1))
    return facts


def as_gray(pixels: np.ndarray) -> np.ndarray:
    """uint8 (k, h, w, 1 or 3) -> float32 (k, h, w), 0..255."""
    return _luma(pixels.astype(np.float32))


def _luma(colors: np.ndarray) -> np.ndarray:
    """float32 (k, h, w, 1 or 3) -> (k, h, w); of one channel it is the same memory."""
    if colors.shape[3] == 1:
        return colors[..., 0]
    together = _TOGETHER if colors.size % (3 * _TOGETHER) == 0 else 1
    # a product of large matrices, mostly with zeros, takes half the time of one with a vector of three
    result: np.ndarray = (colors.reshape(-1, 3 * together) @ _luma_of(together)).reshape(colors.shape[:3])
    return result


@lru_cache(maxsize=2)
def _luma_of(together: int) -> np.ndarray:
    """What makes grays of so many colors in a row: (3 * together, together)."""
    return np.kron(np.eye(together, dtype=np.float32), _LUMA[:, None])


def _sums(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the facts of uint8 (k, h, w, c) follow from.

    Returns:
        Sum and squares of grays, the latter without their mean, (k,); their lowest cosines (k, 8, 8); pieces of the
        border (k, m, c) that add up to it; sum and squares of the Laplacian, number of even pixels, (k,).
    """
    k, h, w, c = pixels.shape
    colors = pixels.astype(np.float32)
    ring = _ring(colors)
    gray = _luma(colors)
    level = pixels[..., 0] if c == 1 else (gray + np.float32(0.5)).astype(np.uint8)  # (k, h, w)
    flat = gray.reshape(k, h * w)
    total = np.einsum("ki->k", flat)
    flat -= (total / np.float32(h * w))[:, None]
    edges = _laplacian(level).reshape(k, -1).astype(np.float32)
    return total, _squares(flat), _low(gray), ring, np.einsum("ki->k", edges), _squares(edges), _even(level)


def _squares(flat: np.ndarray) -> np.ndarray:
    """The sum of squares of each row: float32 (k, n) -> (k,)."""
    result: np.ndarray = (flat[:, None] @ flat[:, :, None])[:, 0, 0]
    return result


def _added(rows: np.ndarray) -> np.ndarray:
    """The sum of rows: float32 (k, n, m) -> (k, m); as a product, which is quicker than adding few numbers often."""
    result: np.ndarray = (np.ones((1, rows.shape[1]), np.float32) @ rows)[:, 0]
    return result


# The next two walk along whole pictures, not line by line; what then lies across the ends of lines is taken out.


def _laplacian(level: np.ndarray) -> np.ndarray:
    """The Laplacian: uint8 (k, h, w) -> int16 (k, h-2, w), in the first and last column 0; of the smallest nothing."""
    k, h, w = level.shape
    if min(h, w) < 3:
        return np.zeros((k, 0, w), np.int16)
    deep = level.reshape(k, h * w).astype(np.int16)
    edges = deep[:, : -2 * w] + deep[:, 2 * w :]  # (k, (h-2)*w), within +-1020
    edges += deep[:, w - 1 : -w - 1]
    edges += deep[:, w + 1 : (h - 1) * w + 1]
    edges -= deep[:, w:-w] * np.int16(4)
    edges = edges.reshape(k, h - 2, w)
    edges[:, :, :: w - 1] = 0
    return edges


def _even(level: np.ndarray) -> np.ndarray:
    """How many pixels' right and lower neighbors differ by _EVEN at most: uint8 (k, h, w) -> (k,)."""
    k, h, w = level.shape
    flat = level.reshape(k, h * w)
    here, right, down = flat[:, :-w], flat[:, 1 : (h - 1) * w + 1], flat[:, w:]  # (k, (h-1)*w)
    across = np.maximum(here, right)
    across -= np.minimum(here, right)
    below = np.maximum(here, down)
    below -= np.minimum(here, down)
    same = np.maximum(across, below, out=across) <= _EVEN
    same.reshape(k, h - 1, w)[:, :, -1] = False
    return np.array([np.count_nonzero(one) for one in same])


def _low(gray: np.ndarray) -> np.ndarray:
    """The lowest cosines: float32 (k, h, w) -> (k, 8, 8), the frequency across first."""
    k, h, w = gray.shape
    low = gray.reshape(k * h, w) @ _cosines(w).T  # (k*h, 8): two large products, not k small ones
    low = low.reshape(k, h, _SIDE).transpose(0, 2, 1).reshape(k * _SIDE, h) @ _cosines(h).T
    result: np.ndarray = low.reshape(k, _SIDE, _SIDE)
    return result


@lru_cache(maxsize=8)
def _cosines(side: int) -> np.ndarray:
    """The lowest 8 rows of the orthonormal DCT-II: (8, side); rows beyond `side` are zero."""
    k, x = np.arange(_SIDE)[:, None], np.arange(side)[None]
    rows = np.sqrt(2 / side) * np.cos(np.pi * (2 * x + 1) * k / (2 * side))
    rows[0] /= np.sqrt(2)
    rows[side:] = 0
    result: np.ndarray = rows.astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _by_frequency() -> np.ndarray:
    """The places of the lowest COSINES of 8 x 8 after the mean, from low to high."""
    k, j = np.mgrid[:_SIDE, :_SIDE]
    return np.argsort((k**2 + j**2).ravel(), kind="stable")[1 : COSINES + 1]


def _ring_width(height: int, width: int) -> int:
    """How many pixels wide the border is."""
    return max(1, min(height, width) // _RING)


def _ring(colors: np.ndarray) -> np.ndarray:
    """The outermost ring, added up along its four sides: float32 (k, h, w, c) -> (k, m, c)."""
    k, h, w, c = colors.shape
    wide = _ring_width(h, w)
    if min(h, w) <= 2 * wide:
        strips = [colors]
    else:
        rows = slice(wide, h - wide)
        strips = [colors[:, :wide], colors[:, h - wide :], colors[:, rows, :wide], colors[:, rows, w - wide :]]
    return np.concatenate([_added(strip.reshape(k, strip.shape[1], -1)).reshape(k, -1, c) for strip in strips], 1)

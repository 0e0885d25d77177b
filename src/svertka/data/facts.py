"""Facts of each picture that cost little while its pixels are at hand, and that `svertka.audit` judges later.

The decode workers compute them, a chunk of pictures at a time, and the store keeps them as one more column. The
perceptual fingerprint is the lowest cosines (DCT-II, orthonormal) of the grey picture without its mean, scaled to
length one, as in pHash (Zauner 2010) but not rounded to bits: what re-encoding and resizing change lies in the high
cosines, so copies stay within a few hundredths of each other, and near ones are found by a tree and not by all pairs.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from svertka.signals.traces import traces

COSINES = 32  # numbers of a fingerprint
_SIDE = 8  # they are the lowest of 8 x 8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_EVEN = 2.0  # grey levels by which neighbours may differ and still be one even area
_RING = 16  # the border is a ring one sixteenth of the side wide

FACTS = np.dtype(
    [
        ("fingerprint", "<f2", (COSINES,)),  # of length one, or zeros where the picture is of one grey
        ("mean", "<f4"),  # of grey levels, 0..255
        ("deviation", "<f4"),  # standard, of grey levels
        ("sharpness", "<f4"),  # variance of the Laplacian of grey levels, at the store's size
        ("even", "<f4"),  # share of pixels that equal their right and lower neighbours
        ("border", "u1", (3,)),  # mean colour of the outermost ring
        ("format", "u1"),  # index into signals.traces.FORMATS
        ("quality", "u1"),  # of a JPEG, 1..100; else 0
        ("camera", "S24"),  # maker and model, UTF-8 cut to length
    ]
)


def file_facts(data: bytes) -> tuple[int, int, bytes]:
    """(format, quality, camera) of the bytes of one file, as FACTS keeps them."""
    found = traces(data)
    return found.format, found.quality, found.camera.encode()[:24]


def picture_facts(pixels: np.ndarray) -> np.ndarray:
    """Everything in FACTS that the pixels tell: uint8 (k, h, w, c) -> FACTS (k,)."""
    facts = np.zeros(len(pixels), FACTS)
    facts["border"] = _border(pixels)
    grey = as_grey(pixels)  # (k, h, w)
    facts["mean"] = grey.mean((1, 2))
    facts["deviation"] = grey.std((1, 2))
    facts["fingerprint"] = _fingerprint(grey - facts["mean"][:, None, None])
    if min(grey.shape[1:]) >= 3:
        inner = grey[:, 1:-1, 1:-1]
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        facts["sharpness"] = (around - 4 * inner).var((1, 2))
        right, down = abs(grey[:, :-1, 1:] - grey[:, :-1, :-1]), abs(grey[:, 1:, :-1] - grey[:, :-1, :-1])
        facts["even"] = (np.maximum(right, down) <= _EVEN).mean((1, 2))
    return facts


def as_grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 (k, h, w, 1 or 3) -> float32 (k, h, w), 0..255."""
    if pixels.shape[3] == 1:
        return pixels[..., 0].astype(np.float32)
    return pixels.astype(np.float32) @ _LUMA


def _fingerprint(centred: np.ndarray) -> np.ndarray:
    """float32 (k, h, w) without its mean -> (k, COSINES), the shares of the whole picture's length."""
    _, h, w = centred.shape
    low = _cosines(h) @ centred @ _cosines(w).T  # (k, 8, 8)
    length = np.sqrt(np.square(centred).sum((1, 2), keepdims=True))
    low = np.where(length > 1e-3, low / np.maximum(length, 1e-3), 0)
    return low.reshape(len(centred), -1)[:, _by_frequency()]


@lru_cache(maxsize=8)
def _cosines(side: int) -> np.ndarray:
    """The lowest 8 rows of the orthonormal DCT-II: (8, side); rows beyond `side` are zero."""
    k, x = np.arange(_SIDE)[:, None], np.arange(side)[None]
    rows = np.sqrt(2 / side) * np.cos(np.pi * (2 * x + 1) * k / (2 * side))
    rows[0] /= np.sqrt(2)
    rows[side:] = 0
    return rows.astype(np.float32)


@lru_cache(maxsize=1)
def _by_frequency() -> np.ndarray:
    """The places of the lowest COSINES of 8 x 8 after the mean, from low to high."""
    k, j = np.mgrid[:_SIDE, :_SIDE]
    return np.argsort((k**2 + j**2).ravel(), kind="stable")[1 : COSINES + 1]


def _border(pixels: np.ndarray) -> np.ndarray:
    """Mean colour of the outermost ring: (k, h, w, c) -> uint8 (k, 3)."""
    _, h, w, c = pixels.shape
    wide = max(1, min(h, w) // _RING)
    ring = np.ones((h, w), bool)
    ring[wide : h - wide, wide : w - wide] = False
    return np.broadcast_to(pixels[:, ring].mean(1), (len(pixels), c)).repeat(3 // c, 1).round().astype(np.uint8)

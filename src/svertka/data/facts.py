"""Facts of each picture that cost little while its pixels are at hand, and that `svertka.audit` judges later.

The decode workers compute them, a chunk of pictures at a time, and the store keeps them as one more column. The
perceptual fingerprint is the lowest cosines (DCT-II, orthonormal) of the grey picture without its mean, scaled to
length one, as in pHash (Zauner 2010) but not rounded to bits: what re-encoding and resizing change lies in the high
cosines, so copies stay within a few hundredths of each other, and near ones are found by a tree and not by all pairs.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from svertka.signals.traces import traces

COSINES = 32  # numbers of a fingerprint
_SIDE = 8  # they are the lowest of 8 x 8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_EVEN = 2  # grey levels by which neighbours may differ and still be one even area
_BLOCK = 2**16  # numbers of pixels measured at once
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
        ("camera", "<u4"),  # CRC-32 of maker and model, 0 where there are none: which ones are alike is all we ask
    ]
)


class Facts:
    """FACTS of many pictures, kept a column each, and asked as the array of them would be.

    `facts["mean"]` is a column (n,), `facts[index]` the FACTS of some pictures.
    """

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self._columns = {name: columns[name] for name in FACTS.names or ()}

    def __len__(self) -> int:
        return len(self._columns["mean"])

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, str):
            return self._columns[key]
        found = np.zeros(len(self._columns["mean"][key]), FACTS)
        for name, column in self._columns.items():
            found[name] = column[key]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:]


def file_facts(data: bytes) -> tuple[int, int, int]:
    """(format, quality, camera) of the bytes of one file, as FACTS keeps them."""
    found = traces(data)
    return found.format, found.quality, zlib.crc32(found.camera.encode())  # that of nothing is 0


def picture_facts(pixels: np.ndarray) -> np.ndarray:
    """Everything in FACTS that the pixels tell: uint8 (k, h, w, c) -> FACTS (k,)."""
    facts = np.zeros(len(pixels), FACTS)
    step = max(1, _BLOCK // max(1, pixels[0].size)) if len(pixels) else 1
    for first in range(0, len(pixels), step):
        _measure(pixels[first : first + step], facts[first : first + step])
    return facts


def as_grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 (k, h, w, 1 or 3) -> float32 (k, h, w), 0..255."""
    if pixels.shape[3] == 1:
        return pixels[..., 0].astype(np.float32)
    k, h, w, _ = pixels.shape
    return (pixels.reshape(-1, 3).astype(np.float32) @ _LUMA).reshape(k, h, w)  # of two dimensions: ten times as fast


def _measure(pixels: np.ndarray, facts: np.ndarray) -> None:
    """Fill in what uint8 (k, h, w, c) tell: so few pictures that all steps find them in the processor's cache."""
    k, h, w, _ = pixels.shape
    facts["border"] = _border(pixels)
    grey = as_grey(pixels)
    level = pixels[..., 0] if pixels.shape[3] == 1 else (grey + np.float32(0.5)).astype(np.uint8)  # (k, h, w)
    flat = grey.reshape(k, h * w)
    facts["mean"] = mean = flat.mean(1)
    flat -= mean[:, None]
    length = np.sqrt(np.einsum("ki,ki->k", flat, flat))
    facts["deviation"] = length / np.sqrt(h * w)
    facts["fingerprint"] = _fingerprint(flat.reshape(k, h, w), length)
    if min(h, w) >= 3:
        facts["sharpness"], facts["even"] = _sharpness(level), _evenness(level)


def _sharpness(level: np.ndarray) -> np.ndarray:
    """The variance of the Laplacian: uint8 (k, h, w) -> (k,)."""
    deep = level.astype(np.int16)
    edges = deep[:, :-2, 1:-1] + deep[:, 2:, 1:-1]  # (k, h-2, w-2), within +-1020
    edges += deep[:, 1:-1, :-2]
    edges += deep[:, 1:-1, 2:]
    edges -= deep[:, 1:-1, 1:-1] << 2
    flat = edges.reshape(len(level), -1).astype(np.float32)
    return np.einsum("ki,ki->k", flat, flat) / flat.shape[1] - np.square(flat.mean(1))


def _evenness(level: np.ndarray) -> np.ndarray:
    """The share of pixels whose right and lower neighbours differ by _EVEN at most: uint8 (k, h, w) -> (k,)."""
    here, right, down = level[:, :-1, :-1], level[:, :-1, 1:], level[:, 1:, :-1]
    across = np.maximum(here, right)
    across -= np.minimum(here, right)
    below = np.maximum(here, down)
    below -= np.minimum(here, down)
    same = np.maximum(across, below, out=across) <= _EVEN
    return same.reshape(len(level), -1).view(np.uint8).mean(1, dtype=np.float32)


def _fingerprint(centred: np.ndarray, length: np.ndarray) -> np.ndarray:
    """float32 (k, h, w) without its mean, its length (k,) -> (k, COSINES), the shares of the whole length."""
    k, h, w = centred.shape
    low = centred.reshape(k * h, w) @ _cosines(w).T  # (k*h, 8): two large products, not k small ones
    low = low.reshape(k, h, _SIDE).transpose(0, 2, 1).reshape(k * _SIDE, h) @ _cosines(h).T  # (k*8, 8): [u, v]
    low = low.reshape(k, _SIDE, _SIDE).transpose(0, 2, 1).reshape(k, -1)[:, _by_frequency()]
    return np.where(length[:, None] > 1e-3, low / np.maximum(length, 1e-3)[:, None], 0)


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
    k, h, w, c = pixels.shape
    wide = max(1, min(h, w) // _RING)
    if min(h, w) <= 2 * wide:
        strips = [pixels]
    else:
        rows = slice(wide, h - wide)
        strips = [pixels[:, :wide], pixels[:, h - wide :], pixels[:, rows, :wide], pixels[:, rows, w - wide :]]
    ring = np.concatenate([strip.reshape(k, -1, c) for strip in strips], 1).astype(np.float32)  # (k, ring, c)
    mean = (np.full((1, ring.shape[1]), 1 / ring.shape[1], np.float32) @ ring)[:, 0]  # (k, c)
    return np.broadcast_to(mean, (k, c)).repeat(3 // c, 1).round().astype(np.uint8)

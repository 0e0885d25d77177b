"""When two pictures are the same to the eye: gray decides, and colors where they tell the classes apart.

How alike two different pictures can be depends on the set: photographs hardly ever are, handwritten ones all the time.
So there are two levels. Measured on copies at JPEG quality 60 and 80 % of the side: LOOSE finds all of them among
photographs, and 19 of 20 among photographs of 32 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svertka.kinds.base import Array
from svertka.kinds.image.statistics import as_gray

SIDE = 32
TINY = 16  # pixels of a side below which different pictures may look the same: they are judged by STRICT
COLORED = 6.0  # levels by which red and blue lie off gray (root mean square) in a picture with colors to compare
TINT = 0.5  # least cosine between the colors of two pictures that have the same
PLAIN = 4.0  # a picture with less deviation, in gray levels, shows too little to be a copy of another


@dataclass(frozen=True, slots=True)
class Level:
    """How alike two pictures must be to count as one.

    radius  between fingerprints of length one
    alike   least correlation of the gray pixels, at a side of SIDE
    edges   least correlation of their differences from pixel to pixel: the same edges in the same places
    """

    radius: float
    alike: float
    edges: float


LOOSE = Level(0.10, 0.95, 0.75)
STRICT = Level(0.05, 0.985, 0.95)


def alike(one: Array, other: Array, level: Level) -> Array:
    """Whether the two pictures of each pair are the same to the eye: uint8 (m, h, w, c) each -> bool (m,)."""
    one, other = (_small(as_gray(pixels)) for pixels in (one, other))
    same = _correlation(one, other) >= level.alike
    if min(one.shape[1:]) >= 2:
        edges = _correlation(np.diff(one, axis=1), np.diff(other, axis=1), np.diff(one), np.diff(other))
        same &= edges >= level.edges
    return same


def same_colors(*both: Array) -> Array:
    """Whether two pictures have like colors in like places, where both have any: uint8 (k, h, w, 3) -> bool (k,)."""
    one, other = map(_colors, both)  # (k, d)
    lengths = [np.sqrt(np.square(colors).mean(1)) for colors in (one, other)]
    cosine = (one * other).mean(1) / np.maximum(lengths[0] * lengths[1], 1e-6)
    result: Array = (cosine >= TINT) | (np.minimum(*lengths) < COLORED)
    return result


def _colors(pixels: Array) -> Array:
    """How far red and blue lie off gray, at a side of SIDE: uint8 (k, h, w, 3) -> float32 (k, d)."""
    gray = as_gray(pixels)
    off = [_small(pixels[..., c].astype(np.float32) - gray) for c in (0, 2)]
    return np.stack(off, 1).reshape(len(pixels), -1)


def _small(gray: Array) -> Array:
    """(k, h, w) -> (k, <= SIDE, <= SIDE), each number the mean of the area that it covers."""
    _, h, w = gray.shape
    return gray if max(h, w) <= SIDE else _areas(h) @ gray @ _areas(w).T


def _areas(side: int) -> Array:
    """(min(SIDE, side), side): row k averages the k-th of equal stretches."""
    rows = min(SIDE, side)
    edges = np.linspace(0, side, rows + 1)
    low, high = edges[:-1, None], edges[1:, None]
    x = np.arange(side)[None]
    covered = np.clip(np.minimum(high, x + 1) - np.maximum(low, x), 0, 1)
    result: Array = (covered / covered.sum(1, keepdims=True)).astype(np.float32)
    return result


def _correlation(*arrays: Array) -> Array:
    """Pearson's correlation of each pair over all given pixels: (one, other, one, other, ...) -> (k,)."""
    one, other = (np.concatenate([a.reshape(len(a), -1) for a in arrays[k::2]], 1) for k in (0, 1))
    one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    length = np.sqrt(np.square(one).sum(1) * np.square(other).sum(1))
    result: Array = (one * other).sum(1) / np.maximum(length, 1e-6)
    return result

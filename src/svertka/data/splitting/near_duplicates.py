"""Pictures that are there twice: the same bytes, or the same picture saved again, resized or retouched a little.

Near ones are found in two steps. The fingerprints of the store (lowest cosines of the gray picture, of length one) give
each picture its nearest neighbors (radius_search.py); each candidate is then verified on its pixels. Nothing is
quadratic, and memory is bounded. Gray decides: copies are found in other colors too, as in CIFAR-10 (another balance
of white, a painted background). Only where many of those stand in other classes, colors tell the classes apart, and
then such pictures are no copies.

How alike two different pictures can be depends on the set: photographs hardly ever are, handwritten ones all the time.
So a sample of the set itself decides between two levels, LOOSE and STRICT. Measured on copies at JPEG quality 60 and
80 % of the side: LOOSE finds all of them among photographs, and 19 of 20 among photographs of 32 pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from svertka.data.splitting.holdout import linked
from svertka.data.splitting.radius_search import close_pairs
from svertka.data.store.columnar import Passing
from svertka.data.store.store import Store
from svertka.kinds.image.statistics import as_gray

_VERSION = 1  # of how pairs are found; those that another version found are not believed
SIDE = 32
TINY = 16  # pixels of a side below which different pictures may look the same: they are judged by STRICT
NEIGHBORS = 8  # of each picture that are looked at; larger families hang together by their chains
COLORED = 6.0  # levels by which red and blue lie off gray (root mean square) in a picture with colors to compare
TINT = 0.5  # least cosine between the colors of two pictures that have the same
TELLING = 0.05  # share of pictures with a twin of other colors in another class from which colors tell classes apart
PLAIN = 4.0  # a picture with less deviation, in gray levels, shows too little to be a copy of another
CROWDED = 0.01  # share of pictures with an unconfirmed neighbor from which a set is judged by STRICT
_SAMPLE, _TASTE = 1000, 64  # pictures that tell whether a set is crowded, and how many are asked about at once
_BATCH = 512  # pairs that are verified at once, at most
_NUMBERS = 2**23  # of pixels on either side of the pairs that are verified at once


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


@dataclass(frozen=True, slots=True)
class Copies:
    """Which pictures are the same.

    exact    families of files with the same bytes, each ascending
    near     families of files with the same picture but not all the same bytes, each ascending
    group    int64 (n,), the same number for all files of one family (exact and near together)
    pairs    int64 (m, 2), the verified pairs of different bytes
    """

    exact: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, ...], ...]
    group: np.ndarray
    pairs: np.ndarray


def find_copies(store: Store, labels: np.ndarray | None = None) -> Copies:
    """The copies among the readable files of a store.

    Args:
        store: the pictures.
        labels: int (n,), their classes: where classes differ by color, so do copies. None: gray alone decides.
    """
    first = _first_of_content(store)
    alone = first == np.arange(len(first), dtype=np.int32)
    again, among = np.flatnonzero(~alone), alone & store.readable
    pairs = store.kept(f"copies-{_rules()}", lambda: near_pairs(store, np.flatnonzero(among)))
    if labels is not None:
        pairs = pairs[~_told_by_color(store, pairs, labels)]
    store.release()
    exact = np.stack([again, first[again]], 1)  # each file with the first of its content
    group = linked(len(store), np.concatenate([exact, pairs]))
    same, alike = np.unique(exact), np.unique(np.concatenate([exact, pairs]))
    return Copies(
        exact=families(first[same], same),
        near=tuple(f for f in families(group[alike], alike) if len({int(first[i]) for i in f}) > 1),
        group=group,
        pairs=pairs,
    )


def _rules() -> str:
    """What the pairs depend on beside the pictures."""
    rules = (_VERSION, LOOSE, STRICT, TINY, NEIGHBORS, PLAIN, CROWDED, _SAMPLE, SIDE)
    return hashlib.blake2b(repr(rules).encode(), digest_size=4).hexdigest()


def near_pairs(store: Store, among: np.ndarray) -> np.ndarray:
    """Verified pairs (i, j), i < j, of different pictures that look the same: int64 (m, 2)."""
    among = among[store.facts["deviation"][among] >= PLAIN].astype(np.int32)
    if len(among) < 2:
        return np.zeros((0, 2), np.int64)
    points = Passing(store.facts["fingerprint"], store.release)  # (n, COSINES)
    level = LOOSE
    if min(store.pixels.shape[1:3]) < TINY or _crowded(store.pixels, among, points):
        level = STRICT
    pairs = close_pairs(points, level.radius, NEIGHBORS, among=among)
    return pairs[_confirmed(store.pixels, pairs, level)]


def _crowded(pixels: np.ndarray, among: np.ndarray, points: Passing) -> bool:
    """Whether pictures of this set have neighbors that are not the same picture: told by a sample of them."""
    sample = among if len(among) <= _SAMPLE else np.random.default_rng(0).choice(among, _SAMPLE, replace=False)
    alone: set[int] = set()
    for first in range(0, len(sample), _TASTE):  # of most crowded sets the first of them tell
        asked = np.zeros(len(points), bool)
        asked[sample[first : first + _TASTE]] = True
        tried = close_pairs(points, LOOSE.radius, NEIGHBORS, asked, among)
        alone.update(tried[~_confirmed(pixels, tried, LOOSE)].ravel().tolist())
        if len(alone) > CROWDED * len(sample):
            return True
    return False


def _confirmed(pixels: np.ndarray, pairs: np.ndarray, level: Level) -> np.ndarray:
    parts = [verify(pixels, some, level) for some in _batches(pixels, pairs)]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _batches(pixels: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
    """Pairs in so many parts that the pixels of one part take little memory."""
    step = max(1, min(_BATCH, _NUMBERS // int(np.prod(pixels.shape[1:]))))
    return [pairs[first : first + step] for first in range(0, len(pairs), step)]


def verify(pixels: np.ndarray, pairs: np.ndarray, level: Level) -> np.ndarray:
    """Whether the two pictures of each pair are the same to the eye: (m, 2) -> bool (m,)."""
    one, other = (_small(as_gray(pixels[pairs[:, k]])) for k in (0, 1))
    alike = _correlation(one, other) >= level.alike
    if min(one.shape[1:]) >= 2:
        edges = _correlation(np.diff(one, axis=1), np.diff(other, axis=1), np.diff(one), np.diff(other))
        alike &= edges >= level.edges
    return alike


def _told_by_color(store: Store, pairs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which verified pairs differ in what tells the classes of this set apart: bool (m,)."""
    none, n = np.zeros(len(pairs), bool), int(store.readable.sum())
    across = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    if store.pixels.shape[3] != 3 or len(np.unique(pairs[across])) <= TELLING * n:
        return none
    alike = [_same_colors(*(store.pixels[some[:, k]] for k in (0, 1))) for some in _batches(store.pixels, pairs)]
    other = ~np.concatenate(alike)
    return other if len(np.unique(pairs[across & other])) > TELLING * n else none


def _same_colors(*both: np.ndarray) -> np.ndarray:
    """Whether two pictures have like colors in like places, where both have any: uint8 (k, h, w, 3) -> bool (k,)."""
    one, other = map(_colors, both)  # (k, d)
    lengths = [np.sqrt(np.square(colors).mean(1)) for colors in (one, other)]
    cosine = (one * other).mean(1) / np.maximum(lengths[0] * lengths[1], 1e-6)
    return (cosine >= TINT) | (np.minimum(*lengths) < COLORED)


def _colors(pixels: np.ndarray) -> np.ndarray:
    """How far red and blue lie off gray, at a side of SIDE: uint8 (k, h, w, 3) -> float32 (k, d)."""
    gray = as_gray(pixels)
    off = [_small(pixels[..., c].astype(np.float32) - gray) for c in (0, 2)]
    return np.stack(off, 1).reshape(len(pixels), -1)


def families(number: np.ndarray, index: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The places in `index` that share a number with another, family by family."""
    _, place, counts = np.unique(number, return_inverse=True, return_counts=True)
    several = counts[place] > 1
    number, index = number[several], index[several]
    order = np.lexsort((index, number))
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    found = [tuple(part.tolist()) for part in np.split(index[order], cuts) if len(part)]
    return tuple(sorted(found))


def _first_of_content(store: Store) -> np.ndarray:
    """For each file the first file of the same bytes: int32 (n,), as n may be millions; unreadable ones are alone."""
    n = len(store)
    keys = np.ascontiguousarray(store.digests).view("<u8")  # (n, 2), of a mapped file
    half = keys[:, 0].copy()
    store.release()
    order = np.argsort(half, kind="stable").astype(np.int32)  # of the same bytes the first file stays first
    half = half[order]
    again = np.flatnonzero(half[1:] == half[:-1]) + 1
    del half
    one, other = order[again - 1], order[again]
    again = again[(keys[one, 1] == keys[other, 1]) & store.readable[one] & store.readable[other]]
    store.release()
    start = np.arange(n, dtype=np.int32)
    start[again] = 0
    np.maximum.accumulate(start, out=start)  # where the run of each begins
    first = np.arange(n, dtype=np.int32)
    first[order[again]] = order[start[again]]
    return first


def _small(gray: np.ndarray) -> np.ndarray:
    """(k, h, w) -> (k, <= SIDE, <= SIDE), each number the mean of the area that it covers."""
    _, h, w = gray.shape
    return gray if max(h, w) <= SIDE else _areas(h) @ gray @ _areas(w).T


def _areas(side: int) -> np.ndarray:
    """(min(SIDE, side), side): row k averages the k-th of equal stretches."""
    rows = min(SIDE, side)
    edges = np.linspace(0, side, rows + 1)
    low, high = edges[:-1, None], edges[1:, None]
    x = np.arange(side)[None]
    covered = np.clip(np.minimum(high, x + 1) - np.maximum(low, x), 0, 1)
    return (covered / covered.sum(1, keepdims=True)).astype(np.float32)


def _correlation(*arrays: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each pair over all given pixels: (one, other, one, other, ...) -> (k,)."""
    one, other = (np.concatenate([a.reshape(len(a), -1) for a in arrays[k::2]], 1) for k in (0, 1))
    one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    length = np.sqrt(np.square(one).sum(1) * np.square(other).sum(1))
    return (one * other).sum(1) / np.maximum(length, 1e-6)

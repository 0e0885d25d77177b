"""Samples that are there twice: the same bytes, or the same picture saved again, resized or retouched a little.

Near ones are found in two steps. The fingerprints of the store (of pictures the lowest cosines of gray), of length one,
give each its nearest neighbors (radius_search.py); each candidate is then verified on its pixels. Nothing is
quadratic, and memory is bounded. Gray decides: copies are found in other colors too, as in CIFAR-10 (another balance
of white, a painted background). Only where many of those stand in other classes, colors tell the classes apart, and
then such pictures are no copies.

How alike two different samples can be depends on the set, so a sample of it decides between the levels of its kind.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.data.splitting.holdout import linked
from svertka.data.splitting.radius_search import close_pairs
from svertka.data.store.columnar import Passing
from svertka.data.store.store import Store
from svertka.kinds.base import Kind

_VERSION = 1  # of how pairs are found; those that another version found are not believed
NEIGHBORS = 8  # of each picture that are looked at; larger families hang together by their chains
TELLING = 0.05  # share of pictures with a twin of other colors in another class from which colors tell classes apart
CROWDED = 0.01  # share of pictures with an unconfirmed neighbor from which a set is judged by STRICT
_SAMPLE, _TASTE = 1000, 64  # pictures that tell whether a set is crowded, and how many are asked about at once
_BATCH = 512  # pairs that are verified at once, at most
_NUMBERS = 2**23  # of pixels on either side of the pairs that are verified at once


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
    pairs = store.kept(f"copies-{_rules(store.kind)}", lambda: near_pairs(store, np.flatnonzero(among)))
    if labels is not None:
        pairs = pairs[~_told_apart(store, pairs, labels)]
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


def _rules(kind: Kind) -> str:
    """What the pairs depend on beside the pictures."""
    rules = (_VERSION, kind.name, kind.levels((1 << 10,) * 2), NEIGHBORS, CROWDED, _SAMPLE)
    return hashlib.blake2b(repr(rules).encode(), digest_size=4).hexdigest()


def near_pairs(store: Store, among: np.ndarray) -> np.ndarray:
    """Verified pairs (i, j), i < j, of different samples that look the same: int64 (m, 2)."""
    among = among[store.kind.comparable(store.columns_of(among))].astype(np.int32)
    if len(among) < 2:
        return np.zeros((0, 2), np.int64)
    points = Passing(store.facts["fingerprint"], store.release)  # (n, d)
    level, *stricter = store.kind.levels(store.pixels.shape[1:])
    if stricter and _crowded(store, among, points, level):
        level = stricter[-1]
    pairs = close_pairs(points, level.radius, NEIGHBORS, among=among)
    return pairs[_confirmed(store, pairs, level)]


def _crowded(store: Store, among: np.ndarray, points: Passing, level: Any) -> bool:
    """Whether samples of this set have neighbors that are not the same: told by some of them."""
    sample = among if len(among) <= _SAMPLE else np.random.default_rng(0).choice(among, _SAMPLE, replace=False)
    alone: set[int] = set()
    for first in range(0, len(sample), _TASTE):  # of most crowded sets the first of them tell
        some = np.zeros(len(points), bool)
        some[sample[first : first + _TASTE]] = True
        tried = close_pairs(points, level.radius, NEIGHBORS, some, among)
        alone.update(tried[~_confirmed(store, tried, level)].ravel().tolist())
        if len(alone) > CROWDED * len(sample):
            return True
    return False


def _confirmed(store: Store, pairs: np.ndarray, level: Any) -> np.ndarray:
    pixels, parts = store.pixels, _batches(store.pixels, pairs)
    found = [store.kind.alike(*(pixels[some[:, k]] for k in (0, 1)), level) for some in parts]
    return np.concatenate(found) if found else np.zeros(0, bool)


def _batches(pixels: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
    """Pairs in so many parts that the pixels of one part take little memory."""
    step = max(1, min(_BATCH, _NUMBERS // int(np.prod(pixels.shape[1:]))))
    return [pairs[first : first + step] for first in range(0, len(pairs), step)]


def _told_apart(store: Store, pairs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which verified pairs differ in what tells the classes of this set apart, as colors do: bool (m,)."""
    none, n = np.zeros(len(pairs), bool), int(store.readable.sum())
    across = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    if len(np.unique(pairs[across])) <= TELLING * n:
        return none
    parts = _batches(store.pixels, pairs)
    found = [store.kind.told_apart(*(store.pixels[some[:, k]] for k in (0, 1))) for some in parts]
    if any(one is None for one in found):
        return none
    other = np.concatenate(found)
    return other if len(np.unique(pairs[across & other])) > TELLING * n else none


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

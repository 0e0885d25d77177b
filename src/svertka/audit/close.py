"""All pairs of points that lie close together, in a time that grows little faster than their number.

The points are halved again and again where they are spread most, along their principal axis, with an overlap as wide as
the radius, so that the two of any pair stay together in at least one half; what is left in a part is compared all with
all, which is one matrix product. Where many points lie on one spot, and no halving would part them, each is compared
with its next ones in order: so time is bounded, and a family of copies still hangs together by its chains.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_LEAF = 512  # points that are compared all with all
_CROWD = 4096  # points that no halving parts, from which they are compared in stretches
_TASTE = 256  # points that tell in which direction a part is spread most
_TURNS = 6
_GAIN, _LITTLE = 0.8, 0.95  # shares of its points that the larger half of a part, and of a crowd, may keep
_DENSE = 4  # times the neighbours that are kept; more in a part are thinned at once
_AT_ONCE = 2**16  # points whose coordinates are at hand at once
_HELD = 2**20  # pairs that may be found before the farther ones are dropped
_SLACK = 1e-5  # of squared distances in float32; who is let in by it is measured again


def close_pairs(
    points: np.ndarray, radius: float, most: int, asked: np.ndarray | None = None, among: np.ndarray | None = None
) -> np.ndarray:
    """Each point's nearest neighbours within a radius, as pairs i < j: int64 (m, 2), ascending.

    Args:
        points: float (n, d), read part by part: they may be mapped from a disk.
        radius: the distance below which two are neighbours.
        most: neighbours of each point that are kept, the nearest first.
        asked: bool (n,), whose neighbours are wanted; everyone's where None.
        among: int (k,), ascending, the points that take part; all where None.
    """
    wanted = np.ones(len(points), bool) if asked is None else asked
    index = (np.arange(len(points)) if among is None else among).astype(np.int32)
    found, chains = _Found(most), [np.zeros((0, 2), np.int32)]
    for crowd in _parts(points, index, radius, wanted):
        if len(crowd) > _CROWD:
            crowd = crowd[np.argsort(_spread(points, crowd)[0], kind="stable")]
            chains.append(_chain(points, crowd, radius, wanted))
        for part in _stretches(crowd):
            pairs, distance = _within(points[part].astype(np.float32), radius, most, wanted[part])
            found.add(part[pairs], distance)
    return np.unique(np.concatenate([found.pairs(), *chains]), axis=0).astype(np.int64)


class _Found:
    """Pairs of a point and a neighbour with their squared distances; of each point the nearest `most` are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pairs = [np.zeros((0, 2), np.int32)]
        self._near = [np.zeros(0, np.float32)]
        self._new = 0

    def add(self, pairs: np.ndarray, near: np.ndarray) -> None:
        """Take some more; the farther ones are dropped before they fill the memory."""
        self._pairs.append(pairs)
        self._near.append(near)
        self._new += len(pairs)
        if self._new > _HELD:
            self._thin()

    def _thin(self) -> None:
        pairs, near = np.concatenate(self._pairs), np.concatenate(self._near)
        kept = _nearest(pairs, near, self._most)
        self._pairs, self._near, self._new = [pairs[kept]], [near[kept]], 0

    def pairs(self) -> np.ndarray:
        """Each pair once, as i < j: int32 (m, 2)."""
        self._thin()
        return np.unique(np.sort(self._pairs[0], 1), axis=0)


def _parts(points: np.ndarray, index: np.ndarray, radius: float, wanted: np.ndarray) -> Iterator[np.ndarray]:
    """Sets of points such that every pair within the radius stands in one of them."""
    waiting = [index]
    while waiting:
        part = waiting.pop()
        if len(part) < 2 or not wanted[part].any():
            continue
        halves = _halves(points, part, radius) if len(part) > _LEAF else None
        if halves is not None:
            waiting += halves
        else:
            yield part


def _halves(points: np.ndarray, part: np.ndarray, radius: float) -> list[np.ndarray] | None:
    """Two overlapping halves of a part; None where they would not be much smaller."""
    along, middle = _spread(points, part)
    low, high = part[along <= middle], part[along > middle - radius]
    enough = _GAIN if len(part) <= _CROWD else _LITTLE
    return [low, high] if max(len(low), len(high)) <= enough * len(part) else None


def _spread(points: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, float]:
    """Where each point of a part lies along the direction in which they are spread most, and the middle there."""
    taste = points[part[:: -(-len(part) // _TASTE)]].astype(np.float32)
    spread = np.atleast_2d(np.cov(taste, rowvar=False))  # (d, d)
    axis = spread[spread.diagonal().argmax()]
    for _ in range(_TURNS):  # power iteration: near the principal axis is near enough
        axis = spread @ axis
        axis /= max(1e-30, float(np.sqrt(axis @ axis)))
    direction = axis.astype(np.float32)
    along = np.empty(len(part), np.float32)
    for first in range(0, len(part), _AT_ONCE):
        some = part[first : first + _AT_ONCE]
        along[first : first + _AT_ONCE] = points[some].astype(np.float32) @ direction
    return along, float(np.median(taste @ direction))


def _stretches(part: np.ndarray) -> Iterator[np.ndarray]:
    """A part as it is, or overlapping stretches of a crowd."""
    if len(part) <= _CROWD:
        yield part
        return
    for first in range(0, len(part), _LEAF):
        yield part[first : first + 2 * _LEAF]


def _chain(points: np.ndarray, crowd: np.ndarray, radius: float, wanted: np.ndarray) -> np.ndarray:
    """Each point of a crowd with the next one in order, so that those on one spot hang together."""
    links = np.stack([crowd[:-1], crowd[1:]], 1)
    apart = np.square(points[links[:, 0]].astype(np.float32) - points[links[:, 1]].astype(np.float32)).sum(1)
    return np.sort(links[(apart < radius**2) & wanted[links].any(1)], 1)


def _within(points: np.ndarray, radius: float, most: int, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pairs (m, 2) of a wanted point and another that lies within the radius, their squared distances (m,))."""
    rows = np.flatnonzero(wanted)
    length = np.einsum("id,id->i", points, points)
    inner = points[rows] @ points.T  # (rows, n)
    inner -= length / 2
    inside = inner >= (length[rows] - (radius**2 + _SLACK))[:, None] / 2
    if np.count_nonzero(inside) > _DENSE * (most + 1) * len(rows):  # a crowd: its nearest ones, before memory fills
        best = np.argpartition(-inner, most, axis=1)[:, : most + 1]
        nearest = np.zeros_like(inside)
        np.put_along_axis(nearest, best, True, axis=1)
        inside &= nearest
    one, other = np.nonzero(inside)
    one = rows[one]
    pairs = np.stack([one, other], 1)[one != other]
    distance = np.square(points[pairs[:, 0]].astype(np.float64) - points[pairs[:, 1]]).sum(1)
    near = distance < radius**2
    return pairs[near], distance[near].astype(np.float32)


def _nearest(pairs: np.ndarray, distance: np.ndarray, most: int) -> np.ndarray:
    """The places of the nearest `most` pairs of each first point, each pair once."""
    order = np.lexsort((pairs[:, 1], distance, pairs[:, 0]))
    ordered = pairs[order]
    new = (np.diff(ordered, axis=0, prepend=-1) != 0).any(1)  # in two parts, so found twice
    order, ordered = order[new], ordered[new, 0]
    first = np.searchsorted(ordered, ordered)
    return order[np.arange(len(ordered)) - first < most]

"""All pairs of points that lie close together, in a time that grows little faster than their number.

The points are halved again and again where they are spread most, along their principal axis, with an overlap as wide as
the radius, so that the two of any pair stay together in at least one half; what is left in a part is compared all with
all, which is one matrix product. Where many points lie on one spot, and no halving would part them, each is compared
with its next ones in order: so time is bounded, and a family of copies still hangs together by its chains. Where the
neighbors of a few are asked for, these are compared with everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from svertka.data.store.columnar import Passing

Points = np.ndarray | Passing  # float (n, d)

_LEAF = 512  # points that are compared all with all
_CROWD = 4096  # points that no halving parts, from which they are compared in stretches
_TASTE = 256  # points that tell in which direction a part is spread most
_TURNS = 6
_GAIN, _LITTLE = 0.8, 0.95  # shares of its points that the larger half of a part, and of a crowd, may keep
_DENSE = 4  # times the neighbors that are kept; more in a part are thinned at once
_AT_ONCE = 2**14  # points whose coordinates are at hand at once
_HELD = 2**20  # pairs that may be found before the farther ones are dropped
_SLACK = 1e-5  # of squared distances in float32; who is let in by it is measured again
_FEW = 128  # points asked for that are compared with everyone, so many of them at once
_STRETCH = 2**14


def close_pairs(
    points: Points, radius: float, most: int, asked: np.ndarray | None = None, among: np.ndarray | None = None
) -> np.ndarray:
    """Each point's nearest neighbors within a radius, as pairs i < j: int64 (m, 2), ascending.

    Args:
        points: float (n, d), read part by part: they may be mapped from a disk.
        radius: the distance below which two are neighbors.
        most: neighbors of each point that are kept, the nearest first.
        asked: bool (n,), whose neighbors are wanted; everyone's where None.
        among: int (k,), ascending, the points that take part; all where None.
    """
    wanted = np.ones(len(points), bool) if asked is None else asked
    index = (np.arange(len(points)) if among is None else among).astype(np.int32, copy=False)
    found, chains = _Found(most), [np.zeros((0, 2), np.int32)]
    if np.count_nonzero(wanted) <= _FEW:
        few = _Part(points, index[wanted[index]]).held()
        for first in range(0, len(index), _STRETCH):
            found.add(*_within(few, _Part(points, index[first : first + _STRETCH]).held(), radius, most))
        return found.pairs().astype(np.int64)
    for crowd in _parts(_Part(points, index), radius, wanted):
        part = crowd
        if len(crowd.place) > _CROWD:
            part = crowd.some(np.argsort(crowd.along()[0], kind="stable"))
            chains.append(_chain(points, part.place, radius, wanted))
        for some in _stretches(part):
            own = some if asked is None else some.some(np.flatnonzero(wanted[some.place]))
            found.add(*_within(own, some, radius, most))
    return np.unique(np.concatenate([found.pairs(), *chains]), axis=0).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the points.

    place   int32 (k,), which ones
    lifted  float32 (k, d + 2), the points x with -|x|^2 / 2 and 1 behind: where one of two has these two the other way
            round, the product of both is -|x - y|^2 / 2. None of a part that is too large
    """

    points: Points
    place: np.ndarray
    lifted: np.ndarray | None = None

    def held(self) -> _Part:
        """The same with its numbers at hand."""
        if self.lifted is not None:
            return self
        x = self.points.take(self.place, axis=0).astype(np.float32)
        half = np.einsum("id,id->i", x, x)[:, None] / -2
        return _Part(self.points, self.place, np.concatenate([x, half, np.ones_like(half)], axis=1))

    def some(self, index: np.ndarray) -> _Part:
        """Those at `index` within this part."""
        part = _Part(self.points, self.place.take(index))
        if self.lifted is None:
            return part.held() if len(index) <= _AT_ONCE else part
        return _Part(part.points, part.place, self.lifted.take(index, axis=0))

    def along(self) -> tuple[np.ndarray, float]:
        """Where each point lies along the direction in which they are spread most, and the middle there."""
        step = -(-len(self.place) // _TASTE)
        if self.lifted is None:
            taste = self.points.take(self.place[::step], axis=0).astype(np.float32)
        else:
            taste = self.lifted[::step, :-2]
        centered = taste - taste.mean(0)
        spread = centered.T @ centered  # (d, d)
        axis = spread[spread.diagonal().argmax()]
        for _ in range(_TURNS):  # power iteration: near the principal axis is near enough
            axis = spread @ axis
            axis /= max(1e-30, float(np.sqrt(axis @ axis)))
        lines = np.sort(taste @ axis)
        return self._onto(axis), float(lines[len(lines) // 2])

    def _onto(self, axis: np.ndarray) -> np.ndarray:
        if self.lifted is not None:
            return self.lifted[:, :-2] @ axis
        along = np.empty(len(self.place), np.float32)
        for first in range(0, len(along), _AT_ONCE):
            some = self.points.take(self.place[first : first + _AT_ONCE], axis=0)
            along[first : first + _AT_ONCE] = some.astype(np.float32) @ axis
        return along


class _Found:
    """Pairs of a point and a neighbor with their squared distances; of each point the nearest `most` are kept."""

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


def _parts(whole: _Part, radius: float, wanted: np.ndarray) -> Iterator[_Part]:
    """Sets of points such that every pair within the radius stands in one of them."""
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        if len(part.place) < 2 or not wanted[part.place].any():
            continue
        halves = _halves(part, radius) if len(part.place) > _LEAF else None
        if halves is not None:
            waiting += halves
        else:
            yield part


def _halves(part: _Part, radius: float) -> list[_Part] | None:
    """Two overlapping halves of a part; None where they would not be much smaller."""
    along, middle = part.along()
    low, high = np.flatnonzero(along <= middle), np.flatnonzero(along > middle - radius)
    enough = _GAIN if len(along) <= _CROWD else _LITTLE
    return [part.some(low), part.some(high)] if max(len(low), len(high)) <= enough * len(along) else None


def _stretches(part: _Part) -> Iterator[_Part]:
    """A part as it is, or overlapping stretches of a crowd."""
    n = len(part.place)
    if n <= _CROWD:
        yield part.held()
        return
    for first in range(0, n, _LEAF):
        yield part.some(np.arange(first, min(first + 2 * _LEAF, n))).held()


def _chain(points: Points, crowd: np.ndarray, radius: float, wanted: np.ndarray) -> np.ndarray:
    """Each point of a crowd with the next one in order, so that those on one spot hang together."""
    links = np.stack([crowd[:-1], crowd[1:]], 1)
    apart = np.square(points[links[:, 0]].astype(np.float32) - points[links[:, 1]].astype(np.float32)).sum(1)
    return np.sort(links[(apart < radius**2) & wanted[links].any(1)], 1)


def _within(own: _Part, others: _Part, radius: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m, 2) of a point of `own` and another within the radius, both held, and their squared distances (m,)."""
    k, n, d = len(own.place), len(others.place), own.points.shape[1]
    x, y = own.lifted, others.lifted
    near = x @ y[:, [*range(d), d + 1, d]].T  # (k, n), -distance^2 / 2
    least = -(radius**2 + _SLACK) / 2
    inside = np.flatnonzero(near.ravel() >= least)  # of one row: ten times as fast as of two
    if len(inside) > _DENSE * (most + 1) * k:  # a crowd: its nearest ones, before memory fills
        best = np.argpartition(-near, most, axis=1)[:, : most + 1] + n * np.arange(k)[:, None]
        inside = np.sort(best.ravel())
    one, other = inside // n, inside % n
    pairs = np.stack([own.place[one], others.place[other]], 1)
    distance = np.square(x[one, :d].astype(np.float64) - y[other, :d]).sum(1)
    truly = (distance < radius**2) & (pairs[:, 0] != pairs[:, 1])
    return pairs[truly], distance[truly].astype(np.float32)


def _nearest(pairs: np.ndarray, distance: np.ndarray, most: int) -> np.ndarray:
    """The places of the nearest `most` pairs of each first point, each pair once."""
    order = np.lexsort((pairs[:, 1], distance, pairs[:, 0]))
    ordered = pairs[order]
    new = (np.diff(ordered, axis=0, prepend=-1) != 0).any(1)  # in two parts, so found twice
    order, ordered = order[new], ordered[new, 0]
    first = np.searchsorted(ordered, ordered)
    return order[np.arange(len(ordered)) - first < most]

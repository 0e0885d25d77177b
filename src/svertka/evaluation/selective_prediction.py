"""Answering only when sure: how much is answered against how often that is right, and from which confidence on.

A model that may say "unsure" trades coverage (the share of pictures it answers) for accuracy on those (El-Yaniv and
Wiener 2010, JMLR 11:1605). The threshold for a wanted accuracy is the lowest confidence from which on the accuracy on
held-out pictures is at least that, not as it happens to be but by the lower end of its 95 % interval (Wilson): few
pictures promise little, and a promise that they cannot bear out is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.errors import UsageError
from svertka.evaluation.intervals import wilson

POINTS = 100  # of a curve that is kept


@dataclass(frozen=True, slots=True)
class Point:
    """Of all pictures the share `coverage` is answered with at least the confidence `threshold`.

    accuracy   on those, surely at least `low` (95 %, Wilson)
    """

    threshold: float
    coverage: float
    accuracy: float
    low: float


def curve(probabilities: np.ndarray, labels: np.ndarray, points: int = POINTS) -> tuple[Point, ...]:
    """From the surest answers alone to all: (n, c) probabilities, (n,) labels -> at most `points` points."""
    confidence = probabilities.max(1).astype(np.float64)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order]
    hits = np.cumsum((probabilities.argmax(1) == labels)[order])
    n = len(order)
    last = np.flatnonzero(np.append(sure[1:] < sure[:-1], True))  # equal confidences are answered together
    ranks = np.linspace(n / points, n, points) - 1
    kept = np.unique(last[np.searchsorted(last, np.ceil(ranks - 1e-9), side="left").clip(max=len(last) - 1)])
    found = []
    for k in kept.tolist():
        right = wilson(int(hits[k]), k + 1)
        found.append(Point(float(sure[k]), (k + 1) / n, right.value, right.low))
    return tuple(found)


def threshold_for(points: Sequence[Point], accuracy: float) -> Point:
    """The point that answers most while the accuracy is surely at least `accuracy`, a share of 1.

    Raises:
        UsageError: `accuracy` is no share, or more than the curve can promise.
    """
    if not 0 < accuracy < 1:
        raise UsageError(f"A wanted accuracy is a share between 0 and 1, such as 0.99; received {accuracy:g}.")
    good = [p for p in points if p.low >= accuracy]
    if good:
        return max(good, key=lambda p: p.coverage)
    most = max(points, key=lambda p: p.low, default=None)
    can = "there is none" if most is None else f"at most {most.low:.4g}, on {most.coverage:.0%} of them"
    raise UsageError(
        f"The validation pictures cannot promise an accuracy of {accuracy:g} for any share of answers ({can}); "
        "ask for less, or validate on more pictures."
    )


def to_rows(points: Sequence[Point]) -> list[list[float]]:
    """The form in model.json: [threshold, coverage, accuracy, low], from the surest answers alone to all."""
    return [[p.threshold, p.coverage, p.accuracy, p.low] for p in points]


def from_rows(rows: Sequence[Sequence[Any]]) -> tuple[Point, ...]:
    """What `to_rows` wrote."""
    return tuple(Point(*map(float, row)) for row in rows)

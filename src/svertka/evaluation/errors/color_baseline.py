"""What needs no understanding of pictures: color histograms and their nearest neighbors.

A classifier that hardly beats them has learned colors. Histograms are compared by Hellinger's distance, which is the
Euclidean one of their square roots; the answer is the class of most of the NEAREST, weighed by nearness.
"""

from __future__ import annotations

import numpy as np

from svertka.common.time_budget import Budget
from svertka.evaluation.intervals import wilson
from svertka.records import Interval

LEVELS = 4  # of each of three colors; of gray, their cube root squared: 16
NEAREST = 5
MOST = 10_000  # training pictures that are remembered
BATCH, AT_ONCE = 1024, 2**23  # pictures, and numbers in them, that are counted at once


def histograms(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w, 1 or 3) -> float32 (n, bins), square roots of the shares of colors."""
    n, h, w, c = pixels.shape
    if c == 1:
        levels, bins = pixels[..., 0].reshape(n, -1) // (256 // LEVELS**2), LEVELS**2
    else:
        each = (pixels // (256 // LEVELS)).astype(np.int64)
        levels, bins = ((each[..., 0] * LEVELS + each[..., 1]) * LEVELS + each[..., 2]).reshape(n, -1), LEVELS**3
    flat = levels.astype(np.int64) + bins * np.arange(n)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * bins).reshape(n, bins)
    roots: np.ndarray = np.sqrt(counts / (h * w))
    return roots.astype(np.float32)


def by_color(
    pixels: np.ndarray,
    train: np.ndarray,
    queries: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    budget: Budget | None = None,
    seed: int = 0,
) -> Interval:
    """Accuracy on the pictures `queries` (m,) of the nearest neighbors in color among `train` (k,) of (n, h, w, c).

    With a budget, as many of `train` are remembered as half of it allows, drawn by `seed`, and as many of `queries` are
    answered as the rest does: the interval's n. One batch of each is always taken.
    """
    budget = budget or Budget()
    generator = np.random.default_rng(seed)
    if len(train) > MOST or budget.seconds is not None:
        train = generator.permutation(train)[:MOST]
        queries = generator.permutation(queries)
    step, known = _at_once(pixels), list[np.ndarray]()
    half = budget.part(0.5)
    for first in range(0, len(train), step):
        known.append(histograms(np.asarray(pixels[np.sort(train[first : first + step])])))
        if half.left() <= 0:
            break
    remembered = np.concatenate(known)
    answer = np.concatenate([labels[np.sort(train[k : k + step])] for k in range(0, len(remembered), step)])
    right = answered = 0
    for first in range(0, len(queries), step):
        part = np.sort(queries[first : first + step])
        near = histograms(np.asarray(pixels[part])) @ remembered.T  # (b, k), 1 where the same
        k = min(NEAREST, len(remembered))
        best = np.argpartition(-near, k - 1, axis=1)[:, :k]
        votes = np.zeros((len(part), classes))
        distance = np.sqrt(np.maximum(2 - 2 * np.take_along_axis(near, best, 1), 0))
        np.add.at(votes, (np.arange(len(part))[:, None], answer[best]), 1 / (distance + 1e-3))
        right += int((votes.argmax(1) == labels[part]).sum())
        answered += len(part)
        if budget.left() <= 0:
            break
    return wilson(right, answered)


def majority(train: np.ndarray, queries: np.ndarray, classes: int) -> Interval:
    """Accuracy of the class that is most frequent in the labels `train` (k,), on the labels `queries` (m,)."""
    usual = int(np.bincount(train, minlength=classes).argmax())
    return wilson(int((queries == usual).sum()), len(queries))


def _at_once(pixels: np.ndarray) -> int:
    return min(BATCH, max(1, AT_ONCE // int(np.prod(pixels.shape[1:]))))

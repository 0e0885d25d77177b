"""What needs no understanding of pictures: colour histograms and their nearest neighbours.

A classifier that hardly beats them has learned colours. Histograms are compared by Hellinger's distance, which is the
Euclidean one of their square roots; the answer is the class of most of the NEAREST, weighed by nearness.
"""

from __future__ import annotations

import numpy as np

from svertka.evaluation.intervals import wilson
from svertka.records import Interval

LEVELS = 4  # of each of three colours; of grey, their cube root squared: 16
NEAREST = 5
MOST = 10_000  # training pictures that are remembered
BATCH, AT_ONCE = 1024, 2**23  # pictures, and numbers in them, that are counted at once


def histograms(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w, 1 or 3) -> float32 (n, bins), square roots of the shares of colours."""
    n, h, w, c = pixels.shape
    if c == 1:
        levels, bins = pixels[..., 0].reshape(n, -1) // (256 // LEVELS**2), LEVELS**2
    else:
        each = (pixels // (256 // LEVELS)).astype(np.int64)
        levels, bins = ((each[..., 0] * LEVELS + each[..., 1]) * LEVELS + each[..., 2]).reshape(n, -1), LEVELS**3
    flat = levels.astype(np.int64) + bins * np.arange(n)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * bins).reshape(n, bins)
    return np.sqrt(counts / (h * w)).astype(np.float32)


def by_colour(
    pixels: np.ndarray, train: np.ndarray, asked: np.ndarray, labels: np.ndarray, classes: int, seed: int = 0
) -> Interval:
    """Accuracy on the pictures `asked` (m,) of the nearest neighbours in colour among `train` (k,) of (n, h, w, c)."""
    if len(train) > MOST:
        train = np.sort(np.random.default_rng(seed).choice(train, MOST, replace=False))
    known = _by_batches(pixels, train)
    right = 0
    step = _at_once(pixels)
    for first in range(0, len(asked), step):
        part = asked[first : first + step]
        near = histograms(np.asarray(pixels[part])) @ known.T  # (b, k), 1 where the same
        k = min(NEAREST, len(train))
        best = np.argpartition(-near, k - 1, axis=1)[:, :k]
        votes = np.zeros((len(part), classes))
        distance = np.sqrt(np.maximum(2 - 2 * np.take_along_axis(near, best, 1), 0))
        np.add.at(votes, (np.arange(len(part))[:, None], labels[train[best]]), 1 / (distance + 1e-3))
        right += int((votes.argmax(1) == labels[part]).sum())
    return wilson(right, len(asked))


def majority(train: np.ndarray, asked: np.ndarray, classes: int) -> Interval:
    """Accuracy of the class that is most frequent in the labels `train` (k,), on the labels `asked` (m,)."""
    usual = int(np.bincount(train, minlength=classes).argmax())
    return wilson(int((asked == usual).sum()), len(asked))


def _by_batches(pixels: np.ndarray, index: np.ndarray) -> np.ndarray:
    step = _at_once(pixels)
    return np.concatenate([histograms(np.asarray(pixels[index[k : k + step]])) for k in range(0, len(index), step)])


def _at_once(pixels: np.ndarray) -> int:
    return min(BATCH, max(1, AT_ONCE // int(np.prod(pixels.shape[1:]))))

"""The shortcut alarm: can a class be told from what is no part of its pictures?

A network takes the easiest way: where one class was saved by another program, at another size or with another camera,
it learns that and not the thing (Geirhos et al. 2020, "Shortcut learning in deep neural networks", arXiv:2004.07780).
For each kind of fact a tiny model, naive Bayes over histograms with 16 bins, is fitted and scored by five-fold
cross-validation. The alarm rings for a class only where the model ranks its pictures above the others' nearly always
(area under the curve at least ALARM) and that is no accident of few pictures (Hanley and McNeil 1982, at LEVEL
standard errors).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svertka.data import Source, Store

ALARM = 0.9  # area under the curve from which a class counts as given away
SURE = 0.75  # which it must exceed by LEVEL standard errors
LEVEL = 4.0
FEW = 10  # pictures of a class below which nothing is said
MOST = 20_000  # pictures that are looked at, drawn by a fixed seed
CLASSES = 200  # of the most frequent classes, for which an alarm is tried
_BINS, _FOLDS = 16, 5


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A class that is given away: by which fact, and how surely (area under the curve, 0.5 is chance)."""

    fact: str
    label: int
    area: float
    n: int


def find_shortcuts(source: Source, store: Store) -> tuple[Shortcut, ...]:
    """The classes that are given away, the surest first; one alarm a class and fact."""
    index = np.flatnonzero(store.readable)
    if len(index) > MOST:
        index = np.sort(np.random.default_rng(0).choice(index, MOST, replace=False))
    labels = source.labels[index]
    counts = np.bincount(labels, minlength=len(source.classes))
    tried = [c for c in np.argsort(-counts, kind="stable")[:CLASSES].tolist() if FEW <= counts[c] <= len(index) - FEW]
    if not tried:
        return ()
    fold = np.random.default_rng(0).permutation(len(index)) % _FOLDS
    found = []
    lengths = source.sizes[index]
    known = bool((lengths > 0).all())  # those of bytes within a table are not
    facts = store.kind.shortcuts(store.columns_of(index), lengths if known else None, store.pixels.shape[1:])
    store.release()
    for fact, columns in facts.items():
        bins = [b for b in map(_binned, columns) if b.max()]
        if not bins:
            continue
        scores = _cross_validated(bins, labels, fold, tried)  # (n, len(tried))
        for k, label in enumerate(tried):
            area = _area(scores[:, k], labels == label)
            if area >= ALARM and area - LEVEL * _error(area, counts[label], len(index) - counts[label]) > SURE:
                found.append(Shortcut(fact, label, area, int(counts[label])))
    return tuple(sorted(found, key=lambda s: -s.area))


def _binned(column: np.ndarray) -> np.ndarray:
    """Whole numbers from 0: the values themselves where they are few, else equally filled bins."""
    values, place = np.unique(column, return_inverse=True)
    if len(values) <= _BINS:
        return place
    edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right")


def _cross_validated(bins: list[np.ndarray], labels: np.ndarray, fold: np.ndarray, tried: list[int]) -> np.ndarray:
    """For each picture and class the log odds by naive Bayes, from the other folds: (n, len(tried))."""
    scores = np.zeros((len(labels), len(tried)))
    for number in range(_FOLDS):
        seen, held = fold != number, fold == number
        for column in bins:
            size = int(column.max()) + 1
            every = np.bincount(column[seen], minlength=size)
            for k, label in enumerate(tried):
                own = np.bincount(column[seen & (labels == label)], minlength=size)
                odds = np.log((own + 0.5) / (own.sum() + 0.5 * size))
                odds -= np.log((every - own + 0.5) / ((every - own).sum() + 0.5 * size))
                scores[held, k] += odds[column[held]]
    return scores


def _area(scores: np.ndarray, own: np.ndarray) -> float:
    """The share of (own, other) pairs in which the own picture scores higher, ties by half (Mann and Whitney 1947)."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each value, from 1
    n = int(own.sum())
    return float((ranks[place][own].sum() - n * (n + 1) / 2) / (n * (len(own) - n)))


def _error(area: float, own: int, others: int) -> float:
    """The standard error of an area under the curve (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (own - 1) * (q1 - area**2) + (others - 1) * (q2 - area**2)
    return float(np.sqrt(max(0.0, variance) / (own * others)))

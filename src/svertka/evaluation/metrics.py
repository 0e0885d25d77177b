"""Accuracy and its relatives, each computed from the definition with numpy alone.

- A share comes with Wilson's interval (E. B. Wilson 1927, JASA 22:209): it stays honest near 0 and 1 and for
  few cases, where "value plus or minus 1.96 standard errors" would promise 100 % plus or minus nothing.
- The calibration error uses 15 bins of equal width, as Guo et al. 2017 (arXiv:1706.04599) do. It is biased
  upwards: even a perfectly calibrated model scores above 0 on few pictures.
- What is not defined (the recall of a class that does not occur, the precision of one never predicted) is
  None, never a silent 0.

Axes: n pictures, c classes. Of equally likely classes the first wins, as in `argmax`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from svertka.errors import DataError, ShapeError
from svertka.records import Interval

BINS = 15


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How one class fares: of its `support` pictures the share `recall` is found, between `low` and `high`.

    precision   of the pictures given this name, the share that deserves it
    f1          harmonic mean of precision and recall
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confused:
    """`count` pictures of `truth`, a `share` of all of them, were taken for `predicted`."""

    truth: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of one evaluation; shares are of 1.

    accuracy            with its 95 % interval
    balanced_accuracy   mean recall of the classes that occur: every class counts the same
    top5                the truth is among the five likeliest; None up to five classes
    majority            accuracy of always answering `majority_class`, the most frequent one here
    loss                mean negative log likelihood of the truth, in nats
    ece                 expected calibration error: mean gap between confidence and accuracy
    confusion           counts; rows are the truth, columns the prediction
    """

    accuracy: Interval
    balanced_accuracy: float
    top5: Interval | None
    majority: float
    majority_class: str
    loss: float
    ece: float
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """The form for `--json` and metrics.json: accuracy is a plain number, with low, high and n."""
        return {
            **_flat(self.accuracy, "accuracy"),
            "balanced_accuracy": self.balanced_accuracy,
            "top5": None if self.top5 is None else _flat(self.top5, "accuracy"),
            "majority": {"class": self.majority_class, "accuracy": self.majority},
            "loss": self.loss,
            "ece": self.ece,
            "per_class": {
                name: {
                    "precision": s.precision,
                    "recall": s.recall,
                    "f1": s.f1,
                    "support": s.support,
                    "low": s.low,
                    "high": s.high,
                }
                for name, s in self.per_class.items()
            },
            "confusion": [list(row) for row in self.confusion],
        }


def _flat(interval: Interval, name: str) -> dict[str, Any]:
    return {name: interval.value, "low": interval.low, "high": interval.high, "n": interval.n}


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """The share k / n with Wilson's interval; of no cases at all, 0 between 0 and 1: nothing is known.

    >>> wilson(9, 10)
    Interval(value=0.9, low=0.5958..., high=0.9821..., n=10)

    Raises:
        DataError: unless 0 <= k <= n and 0 < confidence < 1.
    """
    if not 0 <= k <= n:
        raise DataError(f"A share needs 0 <= k <= n; received k = {k}, n = {n}.")
    if not 0 < confidence < 1:
        raise DataError(f"Confidence is a share between 0 and 1, such as 0.95; received {confidence}.")
    if n == 0:
        return Interval(0.0, 0.0, 1.0, 0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = k / n
    centre = p + z * z / (2 * n)
    spread = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    # at the ends the formula gives 0 and 1 only up to rounding
    low = 0.0 if k == 0 else min(p, (centre - spread) / scale)
    high = 1.0 if k == n else max(p, (centre + spread) / scale)
    return Interval(p, low, high, int(n))


def evaluate(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Evaluation:
    """Every number about `probabilities` (n, c), rows summing to 1; `labels` (n,) are indices into `classes`.

    >>> e = evaluate(np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]]), np.array([0, 1, 1]), ["ant", "bee"])
    >>> e.accuracy.value, e.confusion
    (0.6666666666666666, ((1, 0), (1, 1)))

    Raises:
        ShapeError: the sizes contradict each other.
        DataError: no pictures, a label outside the classes, or rows that are no probabilities.
    """
    probabilities, labels = _checked(probabilities, labels, len(classes))
    n, c = probabilities.shape
    at_truth = probabilities[np.arange(n), labels]  # (n,)
    confusion = np.zeros((c, c), dtype=np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(1)), 1)  # (c truth, c predicted)
    hits, support, named = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    seen = support > 0
    top = int(support.argmax())
    # one confident miss at probability 0 would make the mean infinite; the floor is scikit-learn's
    floor = np.finfo(probabilities.dtype).eps
    return Evaluation(
        accuracy=wilson(int(hits.sum()), n),
        balanced_accuracy=float((hits[seen] / support[seen]).mean()),
        top5=wilson(int((_ranks(probabilities, labels) < 5).sum()), n) if c > 5 else None,
        majority=float(support[top] / n),
        majority_class=classes[top],
        loss=float(-np.log(np.maximum(at_truth, floor)).mean(dtype=np.float64)),
        ece=_ece(*calibration(probabilities, labels)),
        per_class={name: _class_score(int(hits[i]), int(support[i]), int(named[i])) for i, name in enumerate(classes)},
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def _checked(probabilities: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or probabilities.shape != (len(labels), classes):
        raise ShapeError(
            f"Probabilities of {len(labels)} pictures and {classes} classes are ({len(labels)}, {classes}); "
            f"received {probabilities.shape}."
        )
    if not len(labels):
        raise DataError("There is no labelled picture to evaluate.")
    if probabilities.dtype.kind != "f":
        probabilities = probabilities.astype(np.float64)
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"Labels must lie between 0 and {classes - 1}; received {labels.min()} to {labels.max()}.")
    sums = probabilities.sum(1, dtype=np.float64)
    if not (np.isfinite(sums).all() and probabilities.min() >= 0 and np.abs(sums - 1).max() < 0.01):
        raise DataError("Each row must be probabilities that sum to 1; these are not (are they logits?).")
    return probabilities, labels


def _ranks(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes stand before the truth in each row: 0 where it is first. (n, c), (n,) -> (n,)."""
    truth = probabilities[np.arange(len(labels)), labels][:, None]  # (n, 1)
    before = np.arange(probabilities.shape[1]) < labels[:, None]  # (n, c)
    ahead: np.ndarray = ((probabilities > truth) | ((probabilities == truth) & before)).sum(1)
    return ahead


def _class_score(hits: int, support: int, named: int) -> ClassScore:
    interval = wilson(hits, support)
    return ClassScore(
        precision=hits / named if named else None,
        recall=hits / support if support else None,
        f1=2 * hits / (support + named) if support + named else None,
        support=support,
        low=interval.low,
        high=interval.high,
    )


def calibration(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per bin of confidence, ((b - 1) / bins, b / bins]: pictures, mean confidence, accuracy (else nan)."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # (n,)
    count = np.bincount(bin_of, minlength=bins)
    empty = np.where(count > 0, count, np.nan)
    return (
        count,
        np.bincount(bin_of, confidence, minlength=bins) / empty,
        np.bincount(bin_of, right, minlength=bins) / empty,
    )


def _ece(count: np.ndarray, confidence: np.ndarray, accuracy: np.ndarray) -> float:
    return float(np.nansum(count * np.abs(accuracy - confidence)) / count.sum())


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Rows of at most `k` wrong predictions, the most confident first: (n, c), (n,) -> int64 (at most k,)."""
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")][:k]


def most_confused(confusion: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str], k: int) -> list[Confused]:
    """At most `k` pairs of different classes that were taken for each other, by count and then by share.

    >>> most_confused([[8, 2], [0, 5]], ["ant", "bee"], 3)
    [Confused(truth='ant', predicted='bee', count=2, share=0.2)]
    """
    counts = np.array(confusion, dtype=np.int64)
    support = counts.sum(1)
    np.fill_diagonal(counts, 0)
    rows, columns = np.nonzero(counts)
    count = counts[rows, columns]
    share = count / support[rows]
    order = np.lexsort((-share, -count))[:k]
    return [Confused(classes[rows[i]], classes[columns[i]], int(count[i]), float(share[i])) for i in order.tolist()]

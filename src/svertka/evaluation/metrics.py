"""Accuracy and its relatives, each computed from the definition with numpy alone.

- Every share comes with an interval; intervals.py says which and why.
- What is not defined (the recall of a class that does not occur, the precision of one never predicted) is
  None, never a silent 0.

Axes: n pictures, c classes. Of equally likely classes the first wins, as in `argmax`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.errors import DataError, ShapeError
from svertka.evaluation import selective_prediction as abstaining
from svertka.evaluation.calibration import Calibration, calibrated
from svertka.evaluation.intervals import METHOD, f1_interval, mean_interval, wilson
from svertka.evaluation.mcnemar import Resolution, resolution
from svertka.records import Interval

TOPS = (2, 3, 5, 10)  # the truth is among the k likeliest, where there are more classes than k


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How one class fares; what is not defined is None, and its interval says nothing (0 to 1).

    found       of its pictures, the share that is found: the recall, of n = `support` pictures
    deserved    of the pictures given this name, the share that deserves it: the precision
    both        harmonic mean of precision and recall: F1
    """

    found: Interval
    deserved: Interval
    both: Interval

    @property
    def support(self) -> int:
        """Pictures of the class."""
        return self.found.n

    @property
    def recall(self) -> float | None:
        """The share of its pictures that is found."""
        return _known(self.found)

    @property
    def precision(self) -> float | None:
        """The share of the pictures given its name that deserves it."""
        return _known(self.deserved)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _known(self.both)

    @property
    def low(self) -> float:
        """Of the recall."""
        return self.found.low

    @property
    def high(self) -> float:
        """Of the recall."""
        return self.found.high

    def to_dict(self) -> dict[str, Any]:
        """The form for --json; `low` and `high` are those of the recall."""
        return {
            "precision": self.precision, "recall": self.recall, "f1": self.f1, "support": self.support,
            "low": self.low, "high": self.high,
            "precision_interval": [self.deserved.low, self.deserved.high],
            "f1_interval": [self.both.low, self.both.high],
        }  # fmt: skip


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
    balanced            balanced accuracy: mean recall of the classes that occur, so every class counts the same
    macro               mean precision, recall and F1 of the classes that have one
    top                 the truth is among the k likeliest, by k: TOPS below the number of classes
    majority            accuracy of always answering `majority_class`, the most frequent one here
    loss                mean negative log likelihood of the truth, in nats
    calibration         whether confidence means what it says
    abstaining          coverage against accuracy, for a model that may say "unsure"
    resolution          the least difference to another model that these pictures can show
    confusion           counts; rows are the truth, columns the prediction
    """

    accuracy: Interval
    balanced: Interval
    macro: dict[str, Interval]
    top: dict[int, Interval]
    majority: float
    majority_class: str
    loss: float
    calibration: Calibration
    abstaining: tuple[abstaining.Point, ...]
    resolution: Resolution
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that occur."""
        return self.balanced.value

    @property
    def top5(self) -> Interval | None:
        """The truth is among the five likeliest; None up to five classes."""
        return self.top.get(5)

    @property
    def ece(self) -> float:
        """Expected calibration error: mean gap between confidence and accuracy."""
        return self.calibration.ece

    def to_dict(self) -> dict[str, Any]:
        """The form for `--json` and metrics.json: accuracy is a plain number, with low, high and n."""
        return {
            **_flat(self.accuracy, "accuracy"),
            "balanced_accuracy": self.balanced_accuracy,
            "balanced": _flat(self.balanced, "value"),
            "macro": {name: _flat(interval, "value") for name, interval in self.macro.items()},
            "top5": None if self.top5 is None else _flat(self.top5, "accuracy"),
            "top": {str(k): _flat(interval, "accuracy") for k, interval in self.top.items()},
            "majority": {"class": self.majority_class, "accuracy": self.majority},
            "loss": self.loss,
            "ece": self.ece,
            "calibration": self.calibration.to_dict(),
            "abstaining": [
                {"threshold": p.threshold, "coverage": p.coverage, "accuracy": p.accuracy, "low": p.low}
                for p in self.abstaining
            ],
            "resolution": {
                "pictures": self.resolution.pictures,
                "difference": self.resolution.value,
                "sentence": self.resolution.sentence(),
            },
            "per_class": {name: score.to_dict() for name, score in self.per_class.items()},
            "confusion": [list(row) for row in self.confusion],
            "intervals": METHOD,
        }


def _flat(interval: Interval, name: str) -> dict[str, Any]:
    return {name: interval.value, "low": interval.low, "high": interval.high, "n": interval.n}


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
    hits, support, named = (v.tolist() for v in (confusion.diagonal(), confusion.sum(1), confusion.sum(0)))
    per_class = {name: _class_score(hits[i], support[i], named[i]) for i, name in enumerate(classes)}
    balanced = mean_interval([s.found for s in per_class.values() if s.support])
    ranks = _ranks(probabilities, labels)
    most = int(np.argmax(support))
    # one confident miss at probability 0 would make the mean infinite; the floor is scikit-learn's
    floor = np.finfo(probabilities.dtype).eps
    return Evaluation(
        accuracy=wilson(sum(hits), n),
        balanced=balanced,
        macro=_macro(list(per_class.values()), balanced),
        top={k: wilson(int((ranks < k).sum()), n) for k in TOPS if k < c},
        majority=support[most] / n,
        majority_class=classes[most],
        loss=float(-np.log(np.maximum(at_truth, floor)).mean(dtype=np.float64)),
        calibration=calibrated(probabilities, labels),
        abstaining=abstaining.curve(probabilities, labels),
        resolution=resolution(sum(hits), n),
        per_class=per_class,
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
        raise DataError("There is no labeled picture to evaluate.")
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
    return ClassScore(wilson(hits, support), wilson(hits, named), f1_interval(hits, support, named))


def _macro(scores: Sequence[ClassScore], balanced: Interval) -> dict[str, Interval]:
    """Means over the classes for which they are defined; some class is always named, so none is empty."""
    return {
        "precision": mean_interval([s.deserved for s in scores if s.deserved.n]),
        "recall": balanced,
        "f1": mean_interval([s.both for s in scores if s.both.n], doubled=True),
    }


def _known(share: Interval) -> float | None:
    return share.value if share.n else None


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Rows of at most `k` wrong predictions, the most confident first: (n, c), (n,) -> int64 (at most k,)."""
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")][:k]


def least_certain(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Rows of at most `k` answers whose first class leads the second by least: (n, c) -> int64 (at most k,)."""
    probabilities = np.asarray(probabilities)
    if probabilities.shape[1] < 2:
        return np.arange(0)
    two = np.partition(probabilities, -2, axis=1)[:, -2:]  # (n, 2)
    return np.argsort(two[:, 1] - two[:, 0], kind="stable")[:k]


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

"""What several trainings of the same recipe say together: mean, spread and interval.

- Other seeds, the same pictures: chance has two sources, the seeds and the pictures that happen to judge. The variance
  of the mean is the sum of what both show, which is right or too large (Owen 2007, arXiv:0712.1111); degrees of
  freedom by Satterthwaite 1946.
- Folds: each picture judges once, so the share of all is one share with Wilson's interval. The folds' accuracies are
  no independent draws, as their training parts overlap: the variance of their mean is taken as
  (1 / k + judging / learning) s^2 (Nadeau and Bengio 2003, Machine Learning 52:239), and the wider interval is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.common.messages import message
from svertka.errors import DataError
from svertka.evaluation.intervals import wilson


@dataclass(frozen=True, slots=True)
class Repeats:
    """Accuracies of several trainings, shares of 1: their mean between `low` and `high` (95 %).

    deviation   standard, between trainings; None of a single one
    least, most the worst and the best training
    n           pictures that judged
    """

    mean: float
    low: float
    high: float
    deviation: float | None
    least: float
    most: float
    runs: int
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The form for --json."""
        return {
            "accuracy": self.mean, "low": self.low, "high": self.high, "deviation": self.deviation,
            "least": self.least, "most": self.most, "runs": self.runs, "n": self.n,
        }  # fmt: skip

    def sentence(self, what: str) -> str:
        """For a person; `what` are "seeds" or "folds"."""
        rest = ": right in {mean:.2f}% of the cases on average"
        values = {"mean": self.mean, "low": self.low, "high": self.high}
        if self.deviation is not None:
            rest += ", from {least:.2f}% to {most:.2f}%, deviation {points:.2f} points"
            values |= {"least": self.least, "most": self.most, "points": self.deviation}
        rest += "; 95 % interval {low:.2f}% to {high:.2f}%."
        return message(
            f"repeated.{what}" if self.deviation is None else f"repeated.{what}.deviation",
            "{n} " + what[:-1] + rest,
            "{n} " + what + rest,
            n=self.runs,
            **{name: 100 * float(value) for name, value in values.items()},
        )


def of_seeds(right: np.ndarray) -> Repeats:
    """Trainings judged by the same pictures: bool (runs, n).

    Raises:
        DataError: there is no training or no picture.
    """
    runs, n = right.shape
    if not runs or not n:
        raise DataError("There is no finished training to average over.")
    each = right.mean(1)
    mean = float(each.mean())
    if runs == 1 or n == 1:
        single = wilson(int(right.sum()), right.size)
        return Repeats(mean, single.low, single.high, None, mean, mean, runs, n)
    parts = np.array([each.var(ddof=1) / runs, right.mean(0).var(ddof=1) / n])
    floor = wilson(round(mean * n), n)  # where nothing varies, the pictures still are but so many
    low, high = _reach(mean, parts, np.array([runs - 1, n - 1]))
    return Repeats(mean, min(low, floor.low), max(high, floor.high), float(each.std(ddof=1)),
                   float(each.min()), float(each.max()), runs, n)  # fmt: skip


def of_folds(right: Sequence[np.ndarray], learned: Sequence[int]) -> Repeats:
    """Trainings each judged by pictures of its own: bool (n_k,) for each, and how many pictures it learned from.

    Raises:
        DataError: there is no training, or one without pictures.
    """
    if not right or not all(len(r) for r in right):
        raise DataError("There is no finished fold to average over.")
    n, hits = sum(map(len, right)), sum(int(r.sum()) for r in right)
    whole, each = wilson(hits, n), np.array([r.mean() for r in right])
    if len(right) == 1:
        return Repeats(whole.value, whole.low, whole.high, None, whole.value, whole.value, 1, n)
    k, share = len(right), float(np.mean([len(r) / m for r, m in zip(right, learned, strict=True)]))
    low, high = _reach(whole.value, np.array([(1 / k + share) * each.var(ddof=1)]), np.array([k - 1]))
    return Repeats(whole.value, min(low, whole.low), max(high, whole.high), float(each.std(ddof=1)),
                   float(each.min()), float(each.max()), k, n)  # fmt: skip


def _reach(mean: float, parts: np.ndarray, freedom: np.ndarray) -> tuple[float, float]:
    """The interval of a mean whose variance is the sum of `parts` with so many degrees of freedom."""
    variance = parts.sum()
    if variance == 0:
        return mean, mean
    from scipy.special import stdtrit  # comes with scikit-learn; late, as most commands never need it

    reach = float(stdtrit(variance**2 / (parts**2 / freedom).sum(), 0.975) * variance**0.5)
    return max(0.0, mean - reach), min(1.0, mean + reach)

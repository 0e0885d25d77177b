"""Whether two models differ beyond chance when both answered the same pictures, and how small a difference can show.

Only pictures on which one is right and the other wrong say anything: two equally good models share these like tosses of
a fair coin. That is McNemar's test (Psychometrika 1947, 12:153), taken exactly, not by chi-square. The interval of the
difference of accuracies is Newcombe's for pairs (1998, Statistics in Medicine 17:2635, method 10): Wilson's intervals
of both accuracies, less what their agreement explains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.errors import DataError, ShapeError
from svertka.evaluation.intervals import wilson

LEVEL = 0.05  # chance of calling equal models different
TELLING = 0.02  # a smallest difference above this share is told in a sentence


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes from one model to another on the same `n` pictures.

    gained, lost   pictures that only the other one, only the first one gets right
    value          the change of accuracy, a share of 1, between `low` and `high` (95 %, Newcombe)
    p              the chance of a split at least as uneven if both were equally good (McNemar, exact)
    """

    n: int
    gained: int
    lost: int
    value: float
    low: float
    high: float
    p: float

    @property
    def proven(self) -> bool:
        """Whether chance is no good explanation."""
        return self.p < LEVEL

    def to_dict(self) -> dict[str, Any]:
        """The form for --json."""
        return {
            "n": self.n, "gained": self.gained, "lost": self.lost, "difference": self.value,
            "low": self.low, "high": self.high, "p": self.p, "proven": self.proven,
        }  # fmt: skip


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided chance of so uneven a split of gained + lost fair coins.

    >>> round(mcnemar(6, 0), 5), mcnemar(3, 3), mcnemar(0, 0)
    (0.03125, 1.0, 1.0)
    """
    m, k = gained + lost, max(gained, lost)
    if gained == lost:
        return 1.0
    heads = np.arange(k, m)
    ratios = np.cumprod((m - heads) / (heads + 1))  # of the chances of k + 1, k + 2, ... heads to that of k
    return float(min(1.0, 2 * (math.comb(m, k) / 2**m) * (1 + ratios.sum())))  # P(at least k of m heads), both ways


def difference(before: np.ndarray, after: np.ndarray, confidence: float = 0.95) -> Difference:
    """How accuracy changes between answers to the same pictures: which are right, bool (n,) each.

    Raises:
        ShapeError: they are not as many.
        DataError: there are none.
    """
    if before.shape != after.shape or before.ndim != 1:
        raise ShapeError(
            f"Two models are compared on the same pictures; received answers {before.shape} and {after.shape}."
        )
    n = len(before)
    if not n:
        raise DataError("There is no picture that both models have answered.")
    both, only_before = int((before & after).sum()), int((before & ~after).sum())
    only_after = int((~before & after).sum())
    neither = n - both - only_before - only_after
    one, two = wilson(both + only_after, n, confidence), wilson(both + only_before, n, confidence)
    phi = _agreement(both, only_after, only_before, neither)
    value = one.value - two.value
    down = (one.value - one.low) ** 2 - 2 * phi * (one.value - one.low) * (two.high - two.value)
    up = (two.value - two.low) ** 2 - 2 * phi * (two.value - two.low) * (one.high - one.value)
    low = value - math.sqrt(max(0.0, down + (two.high - two.value) ** 2))
    high = value + math.sqrt(max(0.0, up + (one.high - one.value) ** 2))
    return Difference(n, only_after, only_before, value, low, high, mcnemar(only_after, only_before))


def _agreement(both: int, one: int, other: int, neither: int) -> float:
    """Newcombe's phi: the correlation of two rows of right and wrong, with his continuity correction above 0."""
    margins = (both + one) * (other + neither) * (both + other) * (one + neither)
    if margins == 0:
        return 0.0
    cross, n = both * neither - one * other, both + one + other + neither
    return (max(cross - n / 2, 0) if cross > 0 else cross) / math.sqrt(margins)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The least by which another model must differ on the same `n` pictures before that is more than chance.

    pictures   right on so many more, or fewer; `value` is their share of all
    blind      not even a model without a mistake could be told from this one
    """

    n: int
    pictures: int
    value: float
    blind: bool

    def sentence(self) -> str | None:
        """For a person; None where the pictures are enough to tell models apart."""
        if self.blind:
            return (
                f"With so few mistakes, {self.n:,} {'picture' if self.n == 1 else 'pictures'} cannot show that another "
                "model is better: not even one that is always right."
            )
        if self.value <= TELLING:
            return None
        return (
            f"{self.n:,} pictures are few for telling models apart: another one must be right on at least "
            f"{self.pictures} more or fewer of them ({100 * self.value:.1f} points) before that is more than chance."
        )


def resolution(right: int, n: int) -> Resolution:
    """What `n` pictures, of which a model gets `right` right, can show.

    A second model of about the same quality is taken to share half of the mistakes, so that the two disagree on as
    many pictures as there are mistakes; the difference is the least that McNemar's exact test calls more than chance.
    """
    wrong = n - right
    tossed = max(wrong, 1)
    while mcnemar(tossed, 0) >= LEVEL:  # below six pictures nothing can be shown
        tossed += 1
    even, gained = tossed // 2, tossed  # the first split is within chance, the second beyond it
    while gained - even > 1:
        middle = (even + gained) // 2
        even, gained = (even, middle) if mcnemar(middle, tossed - middle) < LEVEL else (middle, gained)
    pictures = 2 * gained - tossed
    return Resolution(n, pictures, pictures / n, blind=mcnemar(wrong, 0) >= LEVEL)

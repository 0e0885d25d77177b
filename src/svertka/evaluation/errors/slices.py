"""Where accuracy is lower or higher than elsewhere: pictures that are dark, small, blurred, from one folder, ...

Each fact of the pictures cuts them into slices: numbers into five of about equal size, names one by one. A slice is
held against all other pictures, and within the classes that err most against the other pictures of the class, by
Fisher's exact test (1935). Whoever looks at many slices finds one that is worse by chance, so the p-values are Holm's
(1979, Scandinavian Journal of Statistics 6:65), over all slices that were looked at.

A slice may also belong to one class nearly alone (all the dark pictures are cats). Its accuracy says nothing about
darkness then, and the network may have learned darkness for cats: that is told as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from svertka.evaluation.intervals import wilson
from svertka.records import Interval

BANDS = 5
NAMED = 12  # values of a fact that are names; more are not looked at
FEWEST = 10  # pictures in a slice and outside
CLASSES = 12  # that are looked into, those with most mistakes
LEVEL = 0.05
OWNED = 0.8  # share of a slice that is of one class, from which the slice is that class's

Column = np.ndarray  # (n,) of numbers, or of names (dtype "U" or object)


@dataclass(frozen=True, slots=True)
class Slice:
    """`n` pictures that share something: `fact` is `value` (in words), among those of the class `of` (None: all).

    accuracy   in the slice, with its interval (Wilson)
    rest       outside of it
    p          the chance of so large a difference, corrected for all slices that were looked at
    owner      the class that owns most of the slice, and the share of the slice that is its
    usual      the share that this class has outside
    """

    fact: str
    value: str
    of: str | None
    accuracy: Interval
    rest: float
    p: float
    owner: str
    share: float
    usual: float

    @property
    def proven(self) -> bool:
        """Whether chance is no good explanation of the difference."""
        return self.p < LEVEL

    @property
    def owned(self) -> bool:
        """Whether the slice is one class's, and hardly so outside."""
        return self.of is None and self.share >= OWNED and self.usual <= self.share / 2

    def to_dict(self) -> dict[str, Any]:
        """The form for --json."""
        return {
            "fact": self.fact, "value": self.value, "class": self.of,
            "n": self.accuracy.n, "accuracy": self.accuracy.value,
            "low": self.accuracy.low, "high": self.accuracy.high,
            "rest": self.rest, "p": self.p, "proven": self.proven,
            "owner": self.owner, "share": self.share, "usual": self.usual, "owned": self.owned,
            "sentence": self.sentence(),
        }  # fmt: skip

    def sentence(self) -> str | None:
        """For a person, where there is something to say."""
        which = f"{self.fact} {self.value}" + (f", of {self.of!r}" if self.of is not None else "")
        if self.proven:
            how = "fewer" if self.accuracy.value < self.rest else "more"
            sentence = (
                f"Pictures with {which} are right in {how} cases: {self.accuracy.value:.1%} of {self.accuracy.n:,} "
                f"({self.accuracy.low:.1%} to {self.accuracy.high:.1%}), {self.rest:.1%} of the others."
            )
            return f"{sentence} {self._owned_by()}".strip() if self.owned else sentence
        if self.owned:
            return f"Pictures with {which}: {self._owned_by()}"
        return None

    def _owned_by(self) -> str:
        return (
            f"{self.share:.0%} of them are {self.owner!r} ({self.usual:.0%} elsewhere), so the network may have "
            "learned this instead of the class."
        )


def slices(
    right: np.ndarray, labels: np.ndarray, classes: Sequence[str], facts: Mapping[str, Column]
) -> tuple[Slice, ...]:
    """All slices that are large enough, the most telling first: bool (n,), (n,), and a column (n,) for each fact."""
    found: list[tuple[float, str, str, int | None, np.ndarray, np.ndarray]] = []
    wrong = np.bincount(labels[~right], minlength=len(classes))
    inside = [None, *(int(c) for c in np.argsort(-wrong, kind="stable")[:CLASSES] if wrong[c])]
    for fact, column in facts.items():
        for value, chosen in _cut(np.asarray(column)):
            for of in inside:
                pool = np.ones(len(right), bool) if of is None else labels == of
                part, others = chosen & pool, ~chosen & pool
                if min(part.sum(), others.sum()) >= FEWEST:
                    p = fisher(int(right[part].sum()), int(part.sum()), int(right[others].sum()), int(others.sum()))
                    found.append((p, fact, value, of, part, others))
    found.sort(key=lambda row: row[0])
    made, floor = [], 0.0
    for k, (p, fact, value, of, part, others) in enumerate(found):
        floor = max(floor, min(1.0, p * (len(found) - k)))  # Holm
        counts = np.bincount(labels[part], minlength=len(classes)) / part.sum()
        rest = np.bincount(labels[others], minlength=len(classes)) / others.sum()
        owner = int((counts - rest).argmax()) if of is None else of
        accuracy = wilson(int(right[part].sum()), int(part.sum()))
        name = None if of is None else classes[of]
        share, usual = float(counts[owner]), float(rest[owner])
        made.append(
            Slice(fact, value, name, accuracy, float(right[others].mean()), floor, classes[owner], share, usual)
        )
    return tuple(sorted(made, key=lambda s: (not s.proven, not s.owned, s.p, -s.share)))


def fisher(k: int, n: int, other_k: int, other_n: int) -> float:
    """Fisher's exact test, two-sided: the chance of shares k / n and other_k / other_n that differ as much or more."""
    total, hits = n + other_n, k + other_k
    low, high = max(0, n - (total - hits)), min(n, hits)
    if low == high:
        return 1.0
    logs = _log_factorials(1 << total.bit_length())

    def choose(a: Any, b: Any) -> Any:
        return logs[a] - logs[b] - logs[a - b]

    x = np.arange(low, high + 1)
    chance = np.exp(choose(hits, x) + choose(total - hits, n - x) - choose(total, n))
    return float(min(1.0, chance[chance <= chance[k - low] * (1 + 1e-7)].sum()))


@lru_cache(maxsize=2)
def _log_factorials(n: int) -> np.ndarray:
    """log 0!, ..., log n!: (n + 1,)."""
    return np.array([math.lgamma(k + 1) for k in range(n + 1)])


def _cut(column: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(value in words, bool (n,)) for each slice of a fact; none of a fact that all pictures share."""
    values, place = np.unique(column, return_inverse=True)
    if column.dtype.kind not in "fiu":
        if 1 < len(values) <= NAMED:
            for k, value in enumerate(values):
                yield f"{str(value) or 'none'!r}", place == k
        return
    if len(values) <= BANDS:
        if len(values) > 1:
            for k, value in enumerate(values):
                yield f"{value:.4g}", place == k
        return
    bands = max(2, min(BANDS, len(column) // (2 * FEWEST)))  # so that none is too small to be looked at
    often = values[np.bincount(place) * bands > len(column)].astype(float)
    # a value that fills a band is one by itself: else what is mostly zero would be a single band, and never looked at
    starts = [np.quantile(column, np.linspace(0, 1, bands + 1)[1:-1]), often, np.nextafter(often, np.inf)]
    band = np.searchsorted(np.unique(np.concatenate(starts)), column, side="right")
    for k in np.unique(band).tolist():
        chosen = band == k
        low, high = column[chosen].min(), column[chosen].max()
        yield f"{low:.4g} to {high:.4g}" if low < high else f"{low:.4g}", chosen

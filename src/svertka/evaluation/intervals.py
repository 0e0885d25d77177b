"""How surely a share is known: intervals of shares and of what is made of shares, all by formula, none by chance.

- A share comes with Wilson's interval (E. B. Wilson 1927, JASA 22:209): it stays honest near 0 and 1 and for
  few cases, where "value plus or minus 1.96 standard errors" would promise 100 % plus or minus nothing.
- F1 is 2J / (1 + J) of the Jaccard share J = hits / (truth or prediction), so Wilson's interval of J carries over: the
  "Wilson indirect" of Lam et al. 2023, arXiv:2309.14621.
- A mean of shares takes each one's own half widths, squared and summed ("MOVER", Zou and Donner 2008, Statistics in
  Medicine 27:1693), and so stays honest where a bootstrap of a class without mistakes would see no spread at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from svertka.errors import DataError
from svertka.records import Interval

METHOD = "Wilson 1927; F1 by its Jaccard share (Lam et al. 2023); means of classes by MOVER (Zou and Donner 2008)"


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
    center = p + z * z / (2 * n)
    spread = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    # at the ends the formula gives 0 and 1 only up to rounding
    low = 0.0 if k == 0 else min(p, (center - spread) / scale)
    high = 1.0 if k == n else max(p, (center + spread) / scale)
    return Interval(p, low, high, int(n))


def f1_interval(hits: int, support: int, named: int, confidence: float = 0.95) -> Interval:
    """F1 of a class with `support` pictures, of which `hits` are among the `named` that were given its name."""
    share = wilson(hits, support + named - hits, confidence)
    value, low, high = (2 * j / (1 + j) for j in (share.value, share.low, share.high))
    return Interval(value, low, high, share.n)


def mean_interval(parts: Sequence[Interval], *, doubled: bool = False) -> Interval:
    """The mean of shares of independent cases, each counting the same; of none, 0 between 0 and 1.

    Args:
        parts: the shares with their own intervals.
        doubled: each case counts in two shares at most, as a mistake does in the F1 of two classes; squares are doubled
            then, since (a + b)^2 <= 2 (a^2 + b^2): the interval is right or too wide, never too narrow.
    """
    if not parts:
        return Interval(0.0, 0.0, 1.0, 0)
    factor = (2.0 if doubled else 1.0) ** 0.5 / len(parts)
    value = sum(p.value for p in parts) / len(parts)
    down = factor * sum((p.value - p.low) ** 2 for p in parts) ** 0.5
    up = factor * sum((p.high - p.value) ** 2 for p in parts) ** 0.5
    return Interval(value, max(0.0, value - down), min(1.0, value + up), sum(p.n for p in parts))

"""Whether one way of training is better than another, beyond chance.

Both ways are trained with the same seeds and judged on the same pictures, so seeds and pictures are paired. Chance has
two sources, the seeds of training and the pictures that happen to be in the validation part; the variance of the mean
difference is estimated as the sum of what the means over seeds and the means over pictures show, which is right or too
large, never too small (Owen 2007, arXiv:0712.1111, "The pigeonhole bootstrap"). Degrees of freedom: Satterthwaite 1946.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svertka.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Gain:
    """Accuracy changes by `value`, between `low` and `high`: shares of 1, over `seeds` trainings and `n` pictures."""

    value: float
    low: float
    high: float
    seeds: int
    n: int


def paired(before: np.ndarray, after: np.ndarray, confidence: float = 0.95) -> Gain:
    """The change of accuracy with its interval, from answers that are right or not: bool (seeds, n) each.

    >>> base = np.array([[1, 0, 0, 1, 0], [1, 0, 1, 0, 0]], bool)
    >>> paired(base, base)
    Gain(value=0.0, low=0.0, high=0.0, seeds=2, n=5)

    Raises:
        ShapeError: the two differ in shape, or there are fewer than two seeds or pictures.
    """
    if before.shape != after.shape or before.ndim != 2 or min(before.shape) < 2:
        raise ShapeError(
            "Two ways of training are compared over the same seeds and pictures, two of each at least; "
            f"received {before.shape} and {after.shape}."
        )
    from scipy.special import stdtrit  # comes with scikit-learn; late, as most commands never need it

    difference = after.astype(float) - before.astype(float)  # (seeds, n)
    seeds, n = difference.shape
    value = float(difference.mean())
    parts = np.array([difference.mean(1).var(ddof=1) / seeds, difference.mean(0).var(ddof=1) / n])
    variance = parts.sum()
    if variance == 0:
        return Gain(value, value, value, seeds, n)
    freedom = variance**2 / (parts**2 / [seeds - 1, n - 1]).sum()
    reach = float(stdtrit(freedom, 0.5 + confidence / 2) * variance**0.5)
    return Gain(value, value - reach, value + reach, seeds, n)

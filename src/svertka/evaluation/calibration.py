"""Whether "90 % sure" is right in 90 % of the cases: reliability bins, calibration error, how much of it is chance.

- The expected calibration error uses 15 bins of equal width, as Guo et al. 2017 (arXiv:1706.04599) do. It is biased
  upwards: a perfectly calibrated model scores above 0 too, the more the fewer pictures there are. How much is found by
  drawing, from the model's own confidences, which answers would be right if it were calibrated (Bröcker and Smith 2007,
  Weather and Forecasting 22:651, "consistency resampling").
- The debiased figure is a root mean square over the same bins less the variance that each bin's accuracy has by chance
  (Kumar et al. 2019, arXiv:1909.10155, "debiased plug-in"); 0 where nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from svertka.evaluation.intervals import wilson

BINS = 15
DRAWS = 200
WORK = 2_000_000  # numbers that are drawn at most, so that large sets are drawn less often: they need it less
UNLIKELY = 0.95  # an error above this share of the drawn ones is more than chance


@dataclass(frozen=True, slots=True)
class Bin:
    """`n` pictures answered with a confidence above `low` up to `high`; None where there are none.

    accuracy lies between least and most (95 %, Wilson).
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence and accuracy lie apart.

    ece      expected calibration error, a share of 1
    noise    what it would be on average for a calibrated model that is as sure as this one, on as many pictures
    limit    what it would exceed in one case of twenty
    rms      debiased root mean square gap
    surer    mean confidence less accuracy: above 0 the model claims too much
    """

    ece: float
    noise: float
    limit: float
    rms: float
    surer: float
    bins: tuple[Bin, ...]

    def sentence(self) -> str:
        """For a person."""
        apart = f"Confidence and accuracy lie {100 * self.ece:.1f} points apart"
        if self.ece <= self.limit:
            return (
                f"{apart}, no more than chance gives a calibrated model on as many pictures (about "
                f"{100 * self.noise:.1f}, rarely above {100 * self.limit:.1f} points)."
            )
        how = "is surer than it is right" if self.surer > 0 else "is right more often than it is sure"
        return f"{apart}, where chance gives a calibrated model about {100 * self.noise:.1f}: on the whole it {how}."

    def to_dict(self) -> dict[str, Any]:
        """The form for --json and metrics.json."""
        return {
            "ece": self.ece, "noise": self.noise, "limit": self.limit, "debiased_rms": self.rms, "surer": self.surer,
            "sentence": self.sentence(),
            "bins": [
                {
                    "from": b.low, "to": b.high, "n": b.n, "confidence": b.confidence, "accuracy": b.accuracy,
                    "low": b.least, "high": b.most,
                }
                for b in self.bins
            ],
        }  # fmt: skip


def calibration(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per bin of confidence, ((b - 1) / bins, b / bins]: pictures, mean confidence, accuracy (else nan)."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    place = _place(confidence, bins)
    count = np.bincount(place, minlength=bins)
    empty = np.where(count > 0, count, np.nan)
    return (
        count,
        np.bincount(place, confidence, minlength=bins) / empty,
        np.bincount(place, right, minlength=bins) / empty,
    )


def calibrated(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS, seed: int = 0) -> Calibration:
    """Everything about calibration: (n, c) probabilities and (n,) labels, n at least 1; seeded."""
    count, confidence, accuracy = calibration(probabilities, labels, bins)
    used = count > 0
    gap = np.where(used, accuracy - confidence, 0.0)
    share = count / count.sum()
    drawn = np.sort(_by_chance(probabilities.max(1).astype(np.float64), bins, seed))
    several = count > 1
    variance = np.where(several, accuracy * (1 - accuracy) / np.maximum(count - 1, 1), np.where(used, gap**2, 0.0))
    square = float((share * (gap**2 - np.where(used, variance, 0.0))).sum())
    found = []
    for b in range(bins):
        n, hits = int(count[b]), round(float(count[b] * accuracy[b])) if used[b] else 0
        inside = wilson(hits, n)
        mean = float(confidence[b]) if used[b] else None
        share_right = float(accuracy[b]) if used[b] else None
        found.append(Bin(b / bins, (b + 1) / bins, n, mean, share_right, inside.low, inside.high))
    return Calibration(
        ece=float((share * abs(gap)).sum()),
        noise=float(drawn.mean()),
        limit=float(drawn[min(len(drawn) - 1, int(UNLIKELY * len(drawn)))]),
        rms=max(0.0, square) ** 0.5,
        surer=float(-(share * gap).sum()),
        bins=tuple(found),
    )


def _place(confidence: np.ndarray, bins: int) -> np.ndarray:
    place: np.ndarray = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return place


def _by_chance(confidence: np.ndarray, bins: int, seed: int) -> np.ndarray:
    """Calibration errors of a model that is right exactly as often as it says: (draws,)."""
    n = len(confidence)
    draws = max(20, min(DRAWS, WORK // n))
    order = np.argsort(_place(confidence, bins), kind="stable")
    count = np.bincount(_place(confidence, bins), minlength=bins)
    first = np.concatenate([[0], np.cumsum(count)])[:-1][count > 0]
    sure = confidence[order].astype(np.float32)
    claimed = np.add.reduceat(confidence[order], first)
    g = np.random.default_rng(seed)
    errors = np.empty(draws)
    for k in range(draws):
        right = g.random(n, dtype=np.float32) < sure
        errors[k] = abs(np.add.reduceat(right, first, dtype=np.int64) - claimed).sum() / n
    return errors

"""Small measures of series, and when two are the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from svertka.kinds.base import Array, Columns, Rule

COSINES = 32  # numbers of a fingerprint
FLAT = 1e-6  # of its largest value: a series that deviates less shows nothing

STATISTICS: np.dtype[Any] = np.dtype(
    [
        ("fingerprint", "<f2", (COSINES,)),  # lowest cosines of the normalized channels in a row, of length one
        ("mean", "<f4"),
        ("deviation", "<f4"),  # standard
        ("largest", "<f4"),  # magnitude of a value
        ("roughness", "<f4"),  # deviation of steps from value to value, as a share of that of the values
    ]
)


class Level(NamedTuple):
    """Series count as the same from this correlation on; `radius` is that of their fingerprints."""

    radius: float
    correlation: float


# two gun draws of one actor correlate by 0.999, so only what is the same but for rounding counts as a copy
LEVEL = Level(0.02, 0.999999)


def measure(samples: Array) -> Array:
    """STATISTICS (k,) of float32 (k, length, channels)."""
    found = np.zeros(len(samples), STATISTICS)
    if not len(samples):
        return found
    found["mean"], found["deviation"] = samples.mean((1, 2)), samples.std((1, 2))
    found["largest"] = np.abs(samples).max((1, 2))
    steps = np.diff(samples, axis=1)
    if steps.size:
        found["roughness"] = steps.std((1, 2)) / np.maximum(found["deviation"], 1e-12)
    flat = normalized(samples)
    low = flat @ _cosines(flat.shape[1]).T
    length = np.sqrt(np.square(low).sum(1, keepdims=True))
    found["fingerprint"] = np.where(length > 1e-6, low / np.maximum(length, 1e-6), 0)
    return found


def normalized(samples: Array) -> Array:
    """Each channel with mean 0 and deviation 1, one behind the other: (k, length, channels) -> (k, d)."""
    centered = samples - samples.mean(1, keepdims=True)
    scaled = centered / np.maximum(centered.std(1, keepdims=True), 1e-12)
    flat: Array = np.ascontiguousarray(scaled.transpose(0, 2, 1)).reshape(len(samples), -1)
    return flat


def alike(one: Array, other: Array, level: Level) -> Array:
    """Whether the series of each pair are the same, level and range aside: bool (k,)."""
    found: Array = (normalized(one) * normalized(other)).mean(1) >= level.correlation
    return found


@lru_cache(maxsize=8)
def _cosines(n: int) -> Array:
    """The lowest COSINES rows of the orthonormal DCT-II after the mean; rows beyond n are zero."""
    k, x = np.arange(1, COSINES + 1)[:, None], np.arange(n)[None]
    rows = np.sqrt(2 / n) * np.cos(np.pi * (2 * x + 1) * k / (2 * n))
    rows[n:] = 0
    found: Array = rows.astype(np.float32)
    return found


def comparable(columns: Columns) -> Array:
    """Which series are more than a level."""
    found: Array = columns["deviation"] > FLAT * columns["largest"]
    return found


def _flat(columns: Columns) -> Iterator[tuple[int, str]]:
    mean = columns["mean"]
    for row in np.flatnonzero(~comparable(columns)).tolist():
        yield row, f"every value is {mean[row]:.4g}"


RULES = (Rule("flat", _flat, "never changes", "never change"),)

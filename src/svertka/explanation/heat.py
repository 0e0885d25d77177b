"""`Heat`: where a network looked, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Which places of a picture speak for a class.

    values  float32 (h, w) in [0, 1], of the layer's resolution or the input's; (length,) for sound and series
    method  a row of `explanation.METHODS`
    layer   where it was taken; "input" for methods that look at pixels
    target  the class, as an index
    score   the probability of that class
    """

    values: np.ndarray = field(repr=False)
    method: str
    layer: str
    target: int
    score: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the values as nested lists."""
        return {
            "method": self.method,
            "layer": self.layer,
            "target": self.target,
            "score": self.score,
            "values": [[round(float(v), 4) for v in row] for row in np.atleast_2d(self.values)],
        }


def scaled(values: np.ndarray) -> np.ndarray:
    """Numbers of any range -> float32 in [0, 1]: below zero is 0, the largest is 1; all 0 where nothing is above."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    top = float(values.max(initial=0.0))
    return values / top if top > 0 else values

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


def scaled(values: np.ndarray, full: float = 1.0) -> np.ndarray:
    """Numbers of any range -> float32 in [0, 1], all 0 where nothing is above 0.

    Below zero becomes 0; the number that a share `full` of all do not pass, and those above it, become 1.

    >>> scaled(np.array([-3.0, 1.0, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    values = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    top = float(np.quantile(values, full)) or float(values.max())
    return (values / top).clip(max=1) if top > 0 else values

"""Memory for batches that is used again as soon as nobody holds the batch that was in it.

Fresh memory costs more than what is written into it: the system clears every page first. Who keeps a batch keeps it:
its memory comes back when the last tensor or array that looks at it has gone, for each of them holds on to the one
array that PyTorch was given.
"""

from __future__ import annotations

import math
import weakref

import numpy as np
import torch
from torch import Tensor

_KEPT = 3  # free ones that wait: one is being filled while the caller has one, or two
_ALIGNED = 64  # bytes, a line of the cache


class Buffers:
    """Float32 tensors of up to `most` numbers."""

    def __init__(self, most: int) -> None:
        self._most, self._free = most, list[np.ndarray]()

    def take(self, n: int, *stored: int) -> Tensor:
        """A tensor (n, channels, *sides) for samples stored as (*sides, channels), channels last, of anything."""
        numbers = n * math.prod(stored)
        if numbers > self._most:
            raise ValueError(f"{numbers} numbers do not fit buffers of {self._most}")
        whole = self._free.pop() if self._free else np.empty(4 * self._most + _ALIGNED, np.uint8)
        start = -whole.ctypes.data % _ALIGNED
        lent = whole[start : start + 4 * numbers].view(np.float32)
        weakref.finalize(lent, self._back, whole).atexit = False
        return torch.from_numpy(lent).view(n, *stored).movedim(-1, 1)

    def _back(self, whole: np.ndarray) -> None:
        if len(self._free) < _KEPT:
            self._free.append(whole)

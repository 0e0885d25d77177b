"""The finalizer of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): scrambles 64-bit numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def scramble(h: int) -> int:
    """One number.

    >>> scramble(1) == int(scramble_array(np.array([1], np.uint64))[0])
    True
    """
    h = (h + GOLDEN) & MASK
    h = ((h ^ (h >> 30)) * FIRST) & MASK
    h = ((h ^ (h >> 27)) * SECOND) & MASK
    return h ^ (h >> 31)


def scramble_array(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each of uint64 (...), anew."""
    h = numbers + np.uint64(GOLDEN)  # wraps around as the hash wants, silently: an array of numpy
    h ^= h >> np.uint64(30)
    h *= np.uint64(FIRST)
    h ^= h >> np.uint64(27)
    h *= np.uint64(SECOND)
    h ^= h >> np.uint64(31)
    return h

"""Digests of 16 bytes, uint8 (n, 16), as keys that numpy can sort and compare."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def whole_keys(digests: Array) -> Array:
    """All 16 bytes of each: (n,) of a type that is compared as a whole."""
    return np.ascontiguousarray(digests).view("V16").reshape(len(digests))


def short_keys(digests: Array) -> Array:
    """The first 8 bytes of each, where the digests are hashes and 64 bits will do: uint64 (n,)."""
    keys: Array = np.ascontiguousarray(digests).view("<u8").reshape(len(digests), 2)[:, 0]
    return keys

"""Pixels kept as JPEG at the store's size, decoded when they are asked for: where decoded ones would not fit.

An array to whoever reads it: `packed[i]`, `packed[indices]`, `packed[i, ::2, ::2]` give the same uint8 numbers each
time. Threads decode a batch together (simplejpeg lets go of the interpreter while it works).
"""

from __future__ import annotations

import os
import weakref
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from svertka.cache.locks import Lock
from svertka.errors import DataError
from svertka.kinds.base import Packer

_SHARE = 4  # pictures that a thread takes at once


class Packed:
    """Uint8 (n, h, w, c) that lies as JPEG in a file.

    Args:
        path: the file.
        starts, lengths, sums: int64, int32, uint32 (n,), where each picture lies, and its CRC-32; of length 0 is none.
        shape: (n, h, w, c).
        packer: what packed them.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        path: Path,
        starts: np.ndarray,
        lengths: np.ndarray,
        sums: np.ndarray,
        shape: tuple[int, ...],
        packer: Packer,
    ) -> None:
        self.shape, self.filename, self._packer = shape, str(path), packer
        self._starts, self._lengths, self._sums = starts, lengths, sums
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        """For a process of its own, which opens the file again."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_file", "lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self.lock: Lock | None = None  # what keeps others from removing the store meanwhile
        self._file = os.open(self.filename, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    @property
    def nbytes(self) -> int:
        """Bytes of all JPEGs together."""
        return int(self._lengths.sum(dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(first, int | np.integer):
            if not -len(self) <= first < len(self):
                raise IndexError(f"picture {first} of {len(self)}")
            return self._decoded(int(first) % len(self))[rest]
        index = np.arange(len(self))[first]
        flat = index.ravel()
        found = np.empty((len(flat), *self.shape[1:]), np.uint8)

        def fill(at: int) -> None:
            for k in range(at, min(at + _SHARE, len(flat))):
                found[k] = self._decoded(int(flat[k]))

        list(_threads(os.getpid()).map(fill, range(0, len(flat), _SHARE)))
        return found.reshape(*index.shape, *self.shape[1:])[(slice(None),) * index.ndim + rest]

    def _decoded(self, i: int) -> np.ndarray:
        length = int(self._lengths[i])
        if not length:
            return np.zeros(self.shape[1:], np.uint8)
        data = os.pread(self._file, length, int(self._starts[i]))
        if zlib.crc32(data) != self._sums[i]:
            raise DataError(
                f"The store {Path(self.filename).parent} is damaged; delete that folder, and it is made anew."
            )
        return self._packer.unpack(data)


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """Those of this process: a fork takes no threads along."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(cores, "svertka-unpack")

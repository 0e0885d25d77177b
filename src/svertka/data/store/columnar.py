"""Columns of numbers in one file, one behind the other: a million rows take no memory, and one is read alone.

They are written where they lie, as the rows come in any order, and mapped when they are read.
"""

from __future__ import annotations

import hashlib
import mmap
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = 2**20  # bytes that are read at once where all are
_STRETCH = 2**23  # bytes of a mapped file of which rows are taken before their memory is given back
_ALIGNED = 64  # bytes, at a multiple of which each column begins


class ColumnFile:
    """`n` rows of the fields of `dtype`, a field behind the other; the file has its size before anything is written."""

    def __init__(self, path: Path, dtype: np.dtype[Any], n: int) -> None:
        self.path, self.dtype, self.n = path, dtype, n
        self._places: dict[str, int] = {}
        end = 0
        for name in dtype.names or ():
            self._places[name] = end
            end += -(-n * dtype[name].itemsize // _ALIGNED) * _ALIGNED
        self.nbytes = end
        self._lock = threading.Lock()

    def write(self, first: int, rows: dict[str, np.ndarray]) -> None:
        """Put rows into their place, from number `first` on; fields that are not given stay zeros.

        Raises:
            OSError: the disk is full, or the file has gone.
        """
        with self._lock, self.path.open("r+b", buffering=0) as file:
            for name, values in rows.items():
                field = self.dtype[name]
                file.seek(self._places[name] + first * field.itemsize)
                left = memoryview(np.ascontiguousarray(values, field.base).reshape(-1)).cast("B")
                while left:
                    left = left[file.write(left) :]

    def digest(self) -> str:
        """A checksum of everything."""
        found = hashlib.blake2b(digest_size=16)
        with self.path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                found.update(block)
        return found.hexdigest()

    def mapped(self) -> MappedColumns:
        """All columns as arrays that are read from the disk as they are looked at.

        Raises:
            OSError, ValueError: the file is not there, or has another size.
        """
        raw = MappedFile(self.path, (self.nbytes,))
        columns = {}
        for name, start in self._places.items():
            field = self.dtype[name]
            block = np.asarray(raw)[start : start + self.n * field.itemsize]
            columns[name] = block.view(field.base).reshape(self.n, *field.shape)
        return MappedColumns(columns, raw)


class MappedColumns(dict[str, np.ndarray]):
    """Arrays by name that lie in one mapped file."""

    def __init__(self, columns: dict[str, np.ndarray], mapped: MappedFile) -> None:
        super().__init__(columns)
        self.mapped = mapped


class Statistics:
    """Small measures of many samples, kept a column each, and asked as the array of them would be.

    `found["mean"]` is a column (n,), `found[index]` the measures of some samples.
    """

    def __init__(self, columns: Mapping[str, np.ndarray], dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._columns = {name: columns[name] for name in dtype.names or ()}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, str):
            return self._columns[key]
        found = np.zeros(len(np.arange(len(self))[key]), self._dtype)
        for name, column in self._columns.items():
            found[name] = column[key]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:]


class MappedFile(np.memmap):
    """A finished file of the cache as an array: read from the disk as it is looked at, and never written."""

    def __new__(cls, path: Path, shape: tuple[int, ...], dtype: Any = np.uint8) -> MappedFile:
        """Raises OSError, ValueError: the file is not there, or has another size."""
        return super().__new__(cls, path, dtype, "c", shape=shape)  # "c": PyTorch wants arrays that may be written

    def release(self) -> None:
        """Give back the memory of what has been looked at; looking again reads it again."""
        if hasattr(mmap, "MADV_DONTNEED") and isinstance(self._mmap, mmap.mmap):
            self._mmap.madvise(mmap.MADV_DONTNEED)


class Passing:
    """Rows of an array in a mapped file, taken from one stretch of it after another.

    After each stretch `release` gives back the memory of its pages: rows that lie far apart would bring all along.
    """

    def __init__(self, rows: np.ndarray, release: Callable[[], None]) -> None:
        self._rows, self._release = rows, release
        self._stretch = max(1, _STRETCH // (rows[:1].nbytes or 1))  # rows
        self.shape = rows.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        return self.take(index)

    def take(self, index: np.ndarray, axis: int = 0) -> np.ndarray:
        """A copy of some rows."""
        found = np.empty((len(index), *self.shape[1:]), self._rows.dtype)
        place = index // self._stretch
        for number in np.unique(place):
            some = np.flatnonzero(place == number)
            found[some] = self._rows.take(index[some], axis=axis)
            self._release()
        return found


def mapped_memory() -> int:
    """Bytes of mapped files, programs among them, that are in the memory of this process; 0 where no system tells."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as told:  # noqa: PTH123  many times a second
            return int(told.read(256).split()[2]) * mmap.PAGESIZE
    except (OSError, IndexError):
        return 0

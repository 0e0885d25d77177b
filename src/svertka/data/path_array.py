"""Columns for a million files: names in one block of bytes, and the order in which people expect names."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import overload

import numpy as np

from svertka.errors import DataError

_AT_ONCE = 4096  # places that are turned into Python numbers at once


class Paths(Sequence[str]):
    """Many names in one block of bytes: a million take what their letters take, and no Python object each.

    Names of files need not be valid Unicode; what is not comes and goes as the system's own escape.

    >>> Paths.of(["a/1.png", "b/2.png"])[1]
    'b/2.png'
    """

    __slots__ = ("blob", "ends")

    def __init__(self, blob: bytes, ends: np.ndarray) -> None:
        self.blob, self.ends = blob, ends  # name i is blob[ends[i]:ends[i + 1]]

    @classmethod
    def of(cls, names: Iterable[str]) -> Paths:
        """Pack names; no object for each stays behind."""
        blob, ends, waiting = bytearray(), array("q", [0]), iter(names)
        while some := list(islice(waiting, _AT_ONCE)):
            block = "".join(some).encode("utf-8", "surrogateescape")
            plain = len(block) == sum(map(len, some))  # a byte a letter
            lengths = map(len, some) if plain else (len(n.encode("utf-8", "surrogateescape")) for n in some)
            ends.extend(islice(accumulate(lengths, initial=len(blob)), 1, None))
            blob += block
        return cls(bytes(blob), np.frombuffer(ends, np.int64))

    @classmethod
    def joined(cls, some: Sequence[Paths]) -> Paths:
        """The names of several, one after the other."""
        starts = np.cumsum([0, *(len(p.blob) for p in some)])
        ends = [p.ends[1:] + start for p, start in zip(some, starts, strict=False)]
        return cls(b"".join(p.blob for p in some), np.concatenate([np.zeros(1, np.int64), *ends]))

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Paths: ...
    def __getitem__(self, index: int | slice) -> str | Paths:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return Paths.of(self[i] for i in range(start, stop, step))
            ends = self.ends[start : max(start, stop) + 1]
            return Paths(self.blob[ends[0] : ends[-1]], ends - ends[0])
        if not -len(self) <= index < len(self):
            raise IndexError(f"name {index} of {len(self)}")
        index = int(index) % len(self)
        return self.blob[self.ends[index] : self.ends[index + 1]].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        blob, start = self.blob, int(self.ends[0])
        for first in range(1, len(self.ends), _AT_ONCE):
            for end in self.ends[first : first + _AT_ONCE].tolist():
                yield blob[start:end].decode("utf-8", "surrogateescape")
                start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Paths):
            return NotImplemented
        return self.blob == other.blob and np.array_equal(self.ends, other.ends)

    def __hash__(self) -> int:
        return hash(self.blob)

    def __repr__(self) -> str:
        return f"Paths({len(self)} names)"


def natural(name: str) -> tuple[list[str | int], str]:
    """A key to sort names as a person does: '2' before '10', 'B' after 'a'.

    >>> sorted(["img10", "img2", "Img1"], key=natural)
    ['Img1', 'img2', 'img10']
    """
    pieces = re.split(r"(\d+)", name)  # letters and digits in turn, letters first
    return [int(p) if i % 2 else p.casefold() for i, p in enumerate(pieces)], name


def labeled(names: Sequence[str], codes: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes in natural order, and int32 (n,) labels, from names in any order and the place of each file's name.

    >>> labeled(["b", "a"], np.array([0, 1, 0]))
    (('a', 'b'), array([1, 0, 1], dtype=int32))
    """
    order = sorted(range(len(names)), key=lambda i: natural(names[i]))
    place = np.zeros(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    return tuple(names[i] for i in order), place[codes]


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: '1 file', '1,200 files'."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def check_columns(**columns: Sequence[object] | np.ndarray) -> None:
    """Raise DataError unless all columns are of one length."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"Columns differ in length: {lengths}.")

"""Columns of zeros and ones that mean one class are read; labels that are several at once are refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from svertka.data.folders.file_names import in_words
from svertka.data.sources.location import Place
from svertka.errors import DataError

ONE_HOT = "the columns of zeros and ones"
_ZEROS, _ONES = frozenset(["0", "0.0", "false", ""]), frozenset(["1", "1.0", "true"])


class Table(Protocol):
    """One form of table, such as CSV."""

    names: tuple[str, ...]  # of its columns
    notes: list[str]  # sentences on what was guessed

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """The columns of that name as text, batch by batch. Raises DataError."""
        ...


class OneHotTable:
    """A table whose columns of zeros and ones are one column of classes, beside those that it has."""

    def __init__(self, table: Table, columns: Sequence[str], place: Place) -> None:
        self._table, self._columns, self._place = table, list(columns), place
        self.names = (*table.names, ONE_HOT)
        self.notes = [
            *table.notes,
            f"The columns {in_words(columns)} of {place.where} hold zeros and ones: the one with a one is the class.",
        ]

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """As that of the table; the class is the name of the column that holds the one."""
        plain = [name for name in columns if name != ONE_HOT]
        for batch in self._table.batches([*plain, *self._columns]):
            texts = dict(zip(plain, batch, strict=False))
            classes = [self._class(row, batch, i) for i, row in enumerate(zip(*batch[len(plain) :], strict=True))]
            yield tuple(classes if name == ONE_HOT else texts[name] for name in columns)

    def _class(self, row: tuple[str, ...], batch: tuple[list[str], ...], i: int) -> str:
        ones = [name for name, cell in zip(self._columns, row, strict=True) if cell.lower() in _ONES]
        if len(ones) > 1:
            raise DataError(
                f"{self._place.where} gives several labels to a picture, such as {in_words(ones)} to {batch[0][i]}; a "
                "picture is of one class here. Choose one of the columns, as in "
                f"{self._place.naming('label', ones[0])}, or leave one label a row."
            )
        return ones[0] if ones else ""


def one_hot_columns(table: Table, taken: Iterable[str]) -> list[str]:
    """The columns that hold nothing but zeros and ones in the first rows, each of both kinds or seldom a one."""
    names = [name for name in table.names if name not in {*taken}]
    if len(names) < 2:
        return []
    first = next(table.batches(names), None)
    if first is None:
        return []
    rows = len(first[0])
    held = {name: {cell.lower() for cell in column[:1000]} for name, column in zip(names, first, strict=True)}
    columns = [name for name, cells in held.items() if cells <= _ZEROS | _ONES and cells != {""}]
    marked = sum(
        any(cell.lower() in _ONES for cell in cells)
        for cells in zip(*(column for name, column in zip(names, first, strict=True) if name in columns), strict=True)
    )
    return columns if len(columns) > 1 and 2 * marked >= rows else []


def refuse_several(labels: Iterable[str], column: str, place: Place) -> None:
    """Raise DataError where classes are made of several labels, such as `cat|wet`, or `cat,wet` beside `cat`."""
    for mark, example in _joined([*labels]).items():
        first, whole = place.naming("class", f"^[^{re.escape(mark)}]+"), place.naming("class", ".+")
        raise DataError(
            f"{place.where}: the column {column!r} gives several labels to a picture, such as {example!r}; a picture "
            f"is of one class here. '{first}' takes the first of them, and '{whole}' all of them together as one class."
        )


def _joined(labels: list[str]) -> dict[str, str]:
    """What stands between several labels, and an example; a bar always, other marks where the pieces are labels too."""
    for mark in "|;,":
        pieces = {label: [one.strip(" []'\"") for one in label.split(mark)] for label in labels if mark in label}
        whole = {label for label in labels if mark not in label}
        times = Counter(piece for of in pieces.values() for piece in of)
        known = [label for label, of in pieces.items() if any(one in whole for one in of)]
        again = [label for label, of in pieces.items() if len(pieces) > 2 and any(times[one] > 1 for one in of)]
        found = [*pieces] if mark == "|" else max(known, again, key=len)
        if found and 2 * len(found) >= len(pieces):
            return {mark: found[0]}
    return {}

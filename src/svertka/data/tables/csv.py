"""Tables of comma-separated values: the separator is the one that its first line has most of."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from svertka.errors import DataError

_BATCH = 2**14  # rows
_SEPARATORS = ",;\t|"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # what Excel puts before its "Unicode text"


class CommaTable:
    """One file; the first line names the columns."""

    def __init__(self, path: Path, where: str) -> None:
        """`where` is how people call it. Raises DataError: it cannot be read, or names a column twice."""
        self._path, self._where = path, where
        try:
            with path.open("rb") as file:
                self._encoding = _MARKS.get(file.read(2), "utf-8-sig")
            with path.open(encoding=self._encoding, newline="") as file:
                first = file.readline()
        except (OSError, UnicodeError) as why:
            raise self._trouble(why, 1) from why
        self._separator = max(_SEPARATORS, key=first.count)
        self.names = tuple(next(csv.reader([first], delimiter=self._separator), ()))
        if not first.strip():
            raise DataError(f"{where} is empty; its first line should name the columns, such as path,label.")
        twice = next((name for name in self.names if name and self.names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"{where} has two columns named {twice!r}; each needs a name of its own.")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """The columns of that name as text without spaces around it; "" where a line is too short."""
        places = [self.names.index(name) for name in columns]
        least, line = max(places) + 1, 1
        found: tuple[list[str], ...] = tuple([] for _ in columns)
        try:
            with self._path.open(encoding=self._encoding, newline="") as file:
                reader = csv.reader(file, delimiter=self._separator, strict=True)  # else a quote swallows rows
                next(reader)
                for row in reader:
                    line = reader.line_num
                    if not row:
                        continue
                    row += [""] * (least - len(row))
                    for column, place in zip(found, places, strict=True):
                        column.append(row[place].strip())
                    if len(found[0]) == _BATCH:
                        yield found
                        found = tuple([] for _ in columns)
        except (OSError, UnicodeError, csv.Error) as why:
            raise self._trouble(why, line) from why
        if found[0]:
            yield found

    def _odd_line(self) -> int:
        """The first line that is no UTF-8; 0 where there is none, or it cannot be told."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return number
        return 0

    def _trouble(self, why: Exception, line: int) -> DataError:
        if isinstance(why, UnicodeError):
            return DataError(
                f"{self._where} is not written in UTF-8 (line {self._odd_line() or line}): save it as UTF-8."
            )
        if isinstance(why, OSError):
            return DataError(f"{self._where} cannot be opened ({why.strerror}).")
        return DataError(f"{self._where} is no table of separated values (after line {line}: {why}).")

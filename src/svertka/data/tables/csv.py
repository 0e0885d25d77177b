"""Tables of separated values, and lists of `path label`, as people and programs write them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from svertka.data.folders.file_names import has_picture_extension
from svertka.data.folders.text_encoding import guess_encoding, known_encoding
from svertka.data.sources.location import Place
from svertka.data.tables.separators import LONGEST, LOOKED_AT, SpacedRows, lines_before, separator_of
from svertka.errors import DataError

_BATCH = 2**14  # rows
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # what Excel puts before its "Unicode text"


class CsvRows(Protocol):
    """What reads rows, and counts the lines that it has read."""

    @property
    def line_num(self) -> int:
        """Lines read so far."""
        ...

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


class CommaTable:
    """One file; the first line names the columns, unless it holds a picture already: then they have numbers.

    Attributes:
        names: of the columns; "1", "2", ... where the file has none, which is `numbered`.
        notes: sentences on what was guessed.
    """

    def __init__(self, path: Path, place: Place) -> None:
        """`place` is how people call it. Raises DataError: it cannot be read, or names a column twice."""
        self._path, self._place, self._where = path, place, place.where
        self._encoding = self._encoding_of(dict(place.columns).get("encoding", ""))
        self.notes: list[str] = []
        try:
            with self._open() as file:
                self._before = lines_before(file)
                file.seek(0)
                rows = list(islice(self._lines(file), self._before, self._before + LOOKED_AT))
        except (OSError, UnicodeError) as why:
            raise self._trouble(why, 1) from why
        if not rows:
            raise DataError(f"{self._where} is empty; its first line should name the columns, such as path,label.")
        self._separator = separator_of(rows)
        self.names = tuple(self._first(rows))
        self.numbered = self._without_names()
        if self.numbered:
            self.names = tuple(str(number) for number in range(1, len(self.names) + 1))
            self.notes.append(f"The first line of {self._where} names no columns: it is taken for a row.")
            return
        twice = next((name for name in self.names if name and self.names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"{self._where} has two columns named {twice!r}; each needs a name of its own.")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """The columns of that name as text without spaces around it; "" where a line is too short."""
        places = [self.names.index(name) for name in columns]
        least, line = max(places) + 1, 1
        found: tuple[list[str], ...] = tuple([] for _ in columns)
        try:
            with self._open() as file:
                lines = islice(self._lines(file), self._before, None)
                reader = self._reader(lines)
                if not self.numbered:
                    next(reader)
                for row in reader:
                    line = self._before + reader.line_num
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

    def _open(self) -> IO[str]:
        return self._path.open(encoding=self._encoding, newline="")

    def _lines(self, file: IO[str]) -> Iterator[str]:
        """Line by line; one without end is not read as a whole."""
        while line := file.readline(LONGEST):
            if len(line) == LONGEST:
                raise DataError(f"{self._where} is no table: a line of it has more than {LONGEST:,} letters.")
            yield line

    def _reader(self, lines: Iterator[str]) -> CsvRows:
        if self._separator == " ":
            return SpacedRows(lines)
        return csv.reader(lines, delimiter=self._separator, strict=True)  # strict: else a quote swallows rows

    def _first(self, rows: list[str]) -> list[str]:
        try:
            return next(self._reader(iter(rows)), [])
        except csv.Error as why:
            raise self._trouble(why, 1) from why

    def _without_names(self) -> bool:
        """Whether the first line is a row already: it holds a picture, or columns are given by their numbers."""
        given = [name for role, name in self._place.columns if role in ("path", "label", "part", "group") and name]
        if given and all(name.partition(":")[0].isdecimal() for name in given) and not {*given} & {*self.names}:
            return True
        return any(has_picture_extension(name.strip()) for name in self.names)

    def _encoding_of(self, given: str) -> str:
        if given:
            return known_encoding(given, str(self._place))
        try:
            with self._path.open("rb") as file:
                return _MARKS.get(file.read(2), "utf-8-sig")
        except OSError as why:
            raise self._trouble(why, 1) from why

    def _odd_line(self) -> tuple[int, bytes]:
        """The first line that is no UTF-8, and its bytes; 0 where there is none, or it cannot be told."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return number, line
        return 0, b""

    def _trouble(self, why: Exception, line: int) -> DataError:
        if isinstance(why, UnicodeError):
            number, raw = self._odd_line()
            guess = guess_encoding([raw]) if raw else "cp1251"
            return DataError(
                f"{self._where} is not written in {self._encoding.removesuffix('-sig').upper()} (line "
                f"{number or line}): save it as UTF-8, or name what it is written in, as in "
                f"{self._place.naming('encoding', guess)}."
            )
        if isinstance(why, OSError):
            return DataError(f"{self._where} cannot be opened ({why.strerror}).")
        return DataError(f"{self._where} is no table of separated values (after line {line}: {why}).")

"""How a text is cut into rows and cells: which separator, which lines stand before the table, and whether it is one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from svertka.data.folders.file_names import has_picture_extension

SEPARATORS = ",;\t|"
LOOKED_AT = 20  # rows by which the separator is chosen
LONGEST = 2**20  # letters of a line; more is no table


def is_text_table(path: Path) -> bool:
    """Whether a text file holds pictures with labels (`a/1.jpg 0`) and not places, one a line."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            lines = [line.strip() for line in islice((file.readline(LONGEST) for _ in range(200)), 200)]
    except OSError:
        return False  # whoever opens it says so
    rows = [line for line in lines if line and not line.startswith("# ")][:LOOKED_AT]
    if not rows:
        return False
    separator = separator_of([row + "\n" for row in rows], " ")
    cells = [next(SpacedRows(iter([row]))) if separator == " " else row.split(separator) for row in rows]
    pictures = sum(any(has_picture_extension(cell.strip(" '\"")) for cell in row) for row in cells)
    return 2 * pictures > len(rows)


class SpacedRows:
    """Lines of a path and a label with blanks between them; the path may have blanks of its own."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.line_num = lines, 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        self.line_num += 1
        line = next(self._lines).strip()
        return [] if line.startswith("# ") else [cell.strip() for cell in line.rsplit(maxsplit=1)]


def lines_before(file: IO[str]) -> int:
    """How many lines stand before the first that counts: empty ones, lone separators, and Excel's `sep=;`."""
    number = 0
    while line := file.readline(LONGEST):
        if line.strip().strip(SEPARATORS).strip() and not line.strip().lower().startswith("sep="):
            return number
        number += 1
    return number


def separator_of(rows: Sequence[str], else_use: str = "") -> str:
    """The separator that cuts the first rows into most cells, and all of them into as many; blanks where none does."""
    best = (False, 1, "")
    for separator in SEPARATORS:
        try:
            counts = [len(row) for row in csv.reader(rows, delimiter=separator, strict=True) if row]
        except csv.Error:
            counts = [row.count(separator) + 1 for row in rows]
        if counts[0] > 1:
            best = max(best, (len({*counts}) == 1, counts[0], separator), key=lambda one: one[:2])
    if best[2]:
        return best[2]
    counted = [row for row in rows if row.strip() and not row.startswith("# ")]
    spaced = all(len(row.split()) > 1 and has_picture_extension(row.rsplit(maxsplit=1)[0]) for row in counted)
    return " " if spaced else else_use or ","

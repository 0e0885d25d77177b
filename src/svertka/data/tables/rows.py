"""Files whose rows are samples, as series are kept: which rows there are, and the bytes of one.

What a row looks like, its kind of sample knows (`Kind.row_form`); here is where it stands. Files of one set whose names
end in _TRAIN, _VAL and _TEST are its parts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data.folders.part_names import PART_NAMES, part_within
from svertka.data.sources.location import Place
from svertka.data.sources.readers import ListedFile, as_listed
from svertka.data.sources.source import Source
from svertka.data.tables.row_kind import row_kind
from svertka.data.tables.table import Rows, table_source
from svertka.errors import DataError, ReadError
from svertka.kinds import kind
from svertka.records import Unreadable

PREFERRED = (".ts", ".tsv", ".txt", ".csv")  # of one set in several forms the first of these is read
_BATCH = 2**14


def open_rows(files: Sequence[Path], place: Place) -> Source:
    """The source of the rows of some files.

    Args:
        files: of one set; where the same is there in several forms, one is taken.
        place: how people call them together.

    Raises:
        DataError: a file is damaged, has no classes, or is another kind than the first.
    """
    chosen, left = _one_form(files)
    kinds = [row_kind(path) for path in chosen]
    names = {found[0].name for found in kinds if found}
    if len(names) > 1:
        raise DataError(f"{place.where} holds {' and '.join(sorted(names))}; name the files of one kind.")
    forms = [found[1] for found in kinds if found]
    facts = [(as_listed(path), form) for path, form in zip(chosen, forms, strict=True)]
    (name,) = names
    reader = RowReader(json.dumps([name, facts]))
    roles = {"path": "row", "label": "class", "part": "file"}
    source = table_source(place, reader, reader.where, roles, _listed(reader), kind="rows", sample=name)
    return dataclasses.replace(source, skipped=(*left, *source.skipped))


def row_samples(path: Path, preprocess: Any) -> Iterator[tuple[str, bytes | ReadError]]:
    """Every row of a file as a sample without its class: its name, and its bytes or why it cannot be read.

    Raises:
        DataError: the rows are no samples of that kind.
    """
    found = row_kind(path, preprocess)
    if found is None or found[0].name != preprocess.kind:
        raise DataError(f"The rows of {path} are no {kind(preprocess.kind).several} that can be read.")
    how, form = found
    for number, _, line in _lines(path, form.start):
        name = f"{path}#{number}"
        try:
            yield name, how.row_bytes(line, form, name)
        except ReadError as why:
            yield name, why


def _one_form(files: Sequence[Path]) -> tuple[list[Path], list[Unreadable]]:
    """One file of each stem, and those that hold the same in another form."""
    by_stem: dict[str, list[Path]] = {}
    for path in sorted(files, key=lambda p: (PREFERRED.index(p.suffix.lower()), p.name)):
        by_stem.setdefault(path.stem, []).append(path)
    chosen = sorted(paths[0] for paths in by_stem.values())
    left = [Unreadable(p.name, f"the same set as {paths[0].name}") for paths in by_stem.values() for p in paths[1:]]
    return chosen, left


def _listed(reader: RowReader) -> Iterator[Rows]:
    """What stands in which row."""
    files = reader.files
    words = [PART_NAMES[part] if (part := part_within(path.stem)) else "" for path in files]
    for number, (path, word) in enumerate(zip(files, words, strict=True)):
        form = reader.forms[number]
        paths, labels, rows = list[str](), list[str](), list[tuple[int, int, int]]()
        for k, start, line in _lines(path, form.start):
            paths.append(f"{path.name}#{k}")
            labels.append(reader.samples.row_label(line, form))
            rows.append((number, start, len(line)))
            if len(rows) == _BATCH:
                yield _batch(paths, labels, rows, word)
                paths, labels, rows = [], [], []
        if rows:
            yield _batch(paths, labels, rows, word)


def _batch(paths: list[str], labels: list[str], rows: list[tuple[int, int, int]], word: str) -> Rows:
    return Rows(paths, labels, [word] * len(paths), None, np.array(rows, RowReader.row), {})


def _lines(path: Path, start: int) -> Iterator[tuple[int, int, bytes]]:
    """(number from 1 on, offset, bytes) of each line of a file that is not blank."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            number = 0
            for line in file:
                if line.strip():
                    number += 1
                    yield number, start, line
                start += len(line)
    except OSError as why:
        raise DataError(f"{path} cannot be read ({why.strerror}).") from why


class RowReader:
    """Samples that are rows of files."""

    kind = "rows"
    row = np.dtype([("file", "<i4"), ("start", "<i8"), ("size", "<i8")])

    def __init__(self, where: str) -> None:
        """`where` is JSON: the kind of the samples; and of each file what `as_listed` gave and its form."""
        self.where = where
        name, files = json.loads(where)
        self.samples = kind(name)
        self.files = [Path(json.loads(listed)[0]) for listed, _ in files]
        self.forms = [self.samples.row_form_from(form) for _, form in files]
        self._read = [ListedFile(listed) for listed, _ in files]

    def fetch(self, path: str, row: np.void) -> bytes:
        """The bytes of one sample, without its class."""
        number = int(row["file"])
        line = self._read[number].at(int(row["start"]), int(row["size"]))
        return self.samples.row_bytes(line, self.forms[number], path)

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one sample."""
        return self.fetch(path, row)[:64]

"""Parquet tables: of paths and labels, or of the bytes of pictures and labels (as `datasets` writes them).

A table of bytes is read in place. Parquet knows no way to one row but through those before it in its row group, so the
reader goes forward through a group and starts again only for one that it has passed; files are decoded in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svertka.data.sources.location import Place
from svertka.data.sources.readers import FILE_LIMIT, too_large
from svertka.data.sources.source import Source
from svertka.data.tables.column_names import ROLES
from svertka.data.tables.several_labels import Table
from svertka.data.tables.table import Rows, files_source, table_source, with_roles
from svertka.errors import DataError, ReadError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_BATCH = 2**14  # rows of small columns
_PICTURES = 16  # rows of bytes that are held at once
_HEAD = 160


def open_parquet(path: Path, place: Place, group_by: str | None) -> Source:
    """The source of a Parquet table.

    Raises:
        DataError: pyarrow is not installed, it is no such table, or lacks a column.
    """
    table = ParquetTable(path, place.where)
    column = table.pictures(dict(place.columns).get("path"))
    whole, roles = with_roles(table, place if column is None else place.naming("path", column), group_by)
    if column is None:
        return files_source(whole, roles, path, place)
    facts = path.stat()
    where = json.dumps([str(path.absolute()), table.inside(column), facts.st_size, facts.st_mtime_ns])
    return table_source(
        place, ParquetReader(where), where, roles, _byte_rows(whole, table.lengths(), roles), notes=lambda: whole.notes
    )


class ParquetTable:
    """One file, whose columns are read as text."""

    def __init__(self, path: Path, where: str) -> None:
        """`where` is how people call it. Raises DataError."""
        self.where = where
        self.file = _open(path, where)
        self.schema: pa.Schema = self.file.schema_arrow
        self.names: tuple[str, ...] = tuple(self.schema.names)
        self.notes: list[str] = []
        self._class_names = _class_names(self.schema)

    def pictures(self, named: str | None) -> str | None:
        """The column that holds bytes of pictures; None where there is none, or another is named for the path."""
        of_bytes = [name for name in self.names if self._holds_bytes(name)]
        if named is not None:
            return named if named in of_bytes else None
        usual = {name.lower(): name for name in of_bytes}
        return next((usual[name] for name in ROLES["path"] if name in usual), of_bytes[0] if of_bytes else None)

    def inside(self, column: str) -> str:
        """Where the bytes are: the column itself, or its field of that name."""
        return f"{column}.bytes" if self._is_struct(column) else column

    def lengths(self) -> list[int]:
        """The number of rows of each row group."""
        return [self.file.metadata.row_group(g).num_rows for g in range(self.file.num_row_groups)]

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """Columns of these names as text; of a column of pictures the name that is kept beside the bytes, or ""."""
        wanted = {name: f"{name}.path" if self._is_struct(name) else name for name in columns}
        read = [inner for name, inner in wanted.items() if not self._nameless(name)]
        try:
            for batch in self.file.iter_batches(_BATCH, columns=read, use_threads=False):
                yield tuple([""] * len(batch) if self._nameless(name) else self._text(batch, name) for name in wanted)
        except (OSError, ValueError) as why:  # pyarrow's own errors are of these
            raise DataError(f"{self.where} is a damaged Parquet table ({_brief(why)}).") from why

    def _nameless(self, name: str) -> bool:
        """Whether a column of pictures keeps no name beside the bytes."""
        kind = self.schema.field(name).type
        return self._holds_bytes(name) and not (self._is_struct(name) and kind.get_field_index("path") >= 0)

    def _is_struct(self, name: str) -> bool:
        from pyarrow import types

        return bool(types.is_struct(self.schema.field(name).type))

    def _holds_bytes(self, name: str) -> bool:
        from pyarrow import types

        kind = self.schema.field(name).type
        if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        return any(is_kind(kind) for is_kind in (types.is_binary, types.is_large_binary, types.is_binary_view))

    def _text(self, batch: pa.RecordBatch, name: str) -> list[str]:
        import pyarrow as pa

        column = batch.column(name)
        if pa.types.is_struct(column.type):
            column = column.field("path")
        names = self._class_names.get(name)
        if names is not None:
            return [names[k] if k is not None and 0 <= k < len(names) else "" for k in column.to_pylist()]
        if pa.types.is_floating(column.type):
            return [_whole(value, name, self.where) for value in column.to_pylist()]
        try:
            return [value.strip() if value else "" for value in column.cast(pa.string()).to_pylist()]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as why:
            raise DataError(f"{self.where}: the column {name!r} is no text or number, but {column.type}.") from why


def _byte_rows(table: Table, of_groups: list[int], roles: dict[str, str]) -> Iterator[Rows]:
    order = [role for role in ROLES if role in roles]
    lengths = np.array(of_groups)
    first = 0
    for columns in table.batches([roles[role] for role in order]):
        text: dict[str, Any] = dict(zip(order, columns, strict=True))
        places = np.arange(first, first + len(text["label"]))
        rows = np.zeros(len(places), ParquetReader.row)
        rows["group"] = np.searchsorted(np.cumsum(lengths), places, "right")
        rows["row"] = places - (np.cumsum(lengths) - lengths)[rows["group"]]
        paths = [f"{i:07}/{name}" if name else f"{i:07}" for i, name in zip(places.tolist(), text["path"], strict=True)]
        yield Rows(paths, text["label"], text.get("part"), text.get("group"), rows, {})
        first += len(places)


class ParquetReader:
    """Pictures whose bytes stand in a column of a Parquet table."""

    kind = "parquet"
    row = np.dtype([("group", "<i4"), ("row", "<i8")])

    def __init__(self, where: str) -> None:
        """`where` is JSON: the file, the column, and size and time of change when it was listed."""
        self.where = where
        place, self._column, *self._facts = json.loads(where)
        self._path = Path(place)
        self._file: ParquetFile | None = None
        self._stream: Iterator[pa.RecordBatch] = iter(())
        self._group, self._first, self._values = -1, 0, []  # the values at hand, and the row of the first of them

    _values: list[bytes | None]

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        group, place = int(row["group"]), int(row["row"])
        try:
            if group != self._group or place < self._first:
                self._begin(path, group)
            while place >= self._first + len(self._values):
                batch = next(self._stream)
                self._first += len(self._values)
                column = batch.column(0)
                self._values = (column.field("bytes") if "." in self._column else column).to_pylist()
        except (OSError, ValueError, StopIteration) as why:
            self._group = -1
            raise ReadError(path, f"the table is damaged here ({_brief(why)})") from why
        data = self._values[place - self._first]
        if not data:
            raise ReadError(path, "the row holds no bytes")
        if len(data) > FILE_LIMIT:
            raise ReadError(path, too_large(len(data)))
        return data

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        return self.fetch(path, row)[:_HEAD]

    def _begin(self, path: str, group: int) -> None:
        """Start at the first row of a row group."""
        try:
            facts = self._path.stat()
        except OSError as why:
            raise ReadError(path, f"its table {self._path.name} has vanished since it was listed") from why
        if [facts.st_size, facts.st_mtime_ns] != self._facts:
            raise ReadError(path, f"its table {self._path.name} has changed since it was listed")
        if self._file is None:
            self._file = _open(self._path, str(self._path))
        self._stream = self._file.iter_batches(_PICTURES, row_groups=[group], columns=[self._column], use_threads=False)
        self._group, self._first, self._values = group, 0, []


def _open(path: Path, where: str) -> ParquetFile:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as why:
        raise DataError(f"{where} is read by pyarrow, which is missing: pip install 'svertka[parquet]'.") from why
    try:  # a buffer, so that no column is in memory as a whole
        return ParquetFile(path, buffer_size=2**20, pre_buffer=False)
    except (OSError, ValueError) as why:
        raise DataError(f"{where} is no Parquet table, or a damaged one ({_brief(why)}).") from why


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """The names that numbers in a column stand for, where the `datasets` library has written them down."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {k: [str(name) for name in f["names"]] for k, f in features.items() if f.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):  # not there, or not of that form: numbers are names
        return {}


def _whole(value: float | None, name: str, where: str) -> str:
    """A number as a name: whole ones as pandas meant them before a gap made them fractions."""
    if value is None or value != value:
        return ""
    if value != int(value):
        raise DataError(f"{where}: the column {name!r} holds {value!r}; a class has a name or a whole number.")
    return str(int(value))


def _brief(why: Exception) -> str:
    return (str(why) or type(why).__name__).splitlines()[0].rstrip(".")

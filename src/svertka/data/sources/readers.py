"""How the bytes of one file of a source are fetched: from a folder, a zip, a tar, or the built-in digits.

A reader is what a decode worker gets instead of the source: it is made from `(kind, where)`, two words, and
each file is found by its path and one row of numbers. So no process but the first ever lists a folder or
parses an archive.
"""

from __future__ import annotations

import bz2
import importlib
import json
import lzma
import os
import stat
import struct
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from svertka.errors import DataError, ReadError

FILE_LIMIT = 2**28  # bytes of one file; more is no picture
_HEAD = 160
_STRETCH = 2**18  # bytes of an archive that are read in one go
_SMALL = 2**14  # bytes of a file that is read together with its neighbors
_MEMBER = b"PK\x03\x04"  # how a member of a zip begins
_NAMES = struct.Struct("<HH")  # lengths of its name and of its extra field


class Reader(Protocol):
    """Fetches the bytes of files; `kind` and `where` are enough to make it again in another process."""

    kind: str
    where: str
    row: np.dtype[Any]  # what it needs to know of each file

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file. Raises ReadError."""
        ...

    def head(self, path: str, row: np.void) -> bytes:
        """The first 160 bytes of one file, or fewer. Raises ReadError."""
        ...


def fetch_all(reader: Reader, paths: Sequence[str], rows: np.ndarray) -> Iterator[bytes | ReadError]:
    """The bytes of many files in order, or why one of them cannot be had."""
    if isinstance(reader, ZipReader):
        yield from reader.fetch_all(paths, rows)
        return
    for path, row in zip(paths, rows, strict=True):
        try:
            yield reader.fetch(path, row)
        except ReadError as why:
            yield why


class FolderReader:
    """Files below a folder."""

    kind = "folder"
    row = np.dtype([("size", "<i8"), ("modified", "<i8")])

    def __init__(self, where: str) -> None:
        self.where = where

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        return self._bytes(path, row, FILE_LIMIT)

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        return self._bytes(path, row, _HEAD)

    def _bytes(self, path: str, row: np.void, limit: int) -> bytes:
        try:
            with Path(self.where, path).open("rb", buffering=0) as file:
                facts = os.fstat(file.fileno())
                if not stat.S_ISREG(facts.st_mode):
                    raise ReadError(path, "it is no longer an ordinary file")
                if (facts.st_size, facts.st_mtime_ns) != (row["size"], row["modified"]):
                    raise ReadError(path, "it has changed since the folder was listed")
                if facts.st_size > FILE_LIMIT:
                    raise ReadError(path, too_large(facts.st_size))
                return file.read(min(limit, facts.st_size)) or b""
        except FileNotFoundError as why:
            raise ReadError(path, "it has vanished since the folder was listed") from why
        except OSError as why:
            raise ReadError(path, f"it cannot be opened ({why.strerror})") from why


def as_listed(path: Path) -> str:
    """What makes the reader of an archive again: its place, and the size and time by which a change of it is known."""
    facts = path.stat()
    return json.dumps([str(path.absolute()), facts.st_size, facts.st_mtime_ns])


class ListedFile:
    """One file, as it was listed, that many threads read at places of their own."""

    def __init__(self, where: str) -> None:
        """`where` is what `as_listed` gave. Raises DataError: it cannot be opened."""
        self._place, *self._facts = json.loads(where)
        try:
            self._file = Path(self._place).open("rb", buffering=0)  # noqa: SIM115  open as long as the reader lives
        except OSError as why:
            raise DataError(f"{self._place} cannot be opened ({why.strerror}).") from why
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer at the end. Raises ReadError: the file has changed, or the disk fails."""
        try:
            facts = os.fstat(self._file.fileno())
            if [facts.st_size, facts.st_mtime_ns] != self._facts:
                raise ReadError(self._place, "its archive has changed since it was listed")
            if hasattr(os, "pread"):
                return os.pread(self._file.fileno(), length, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.read(length) or b""
        except OSError as why:
            raise ReadError(self._place, f"its archive cannot be read here ({why.strerror})") from why


class ZipReader:
    """Members of a zip archive, found by what its directory said of them; the CRC of each is checked."""

    kind = "zip"
    row = np.dtype([("offset", "<i8"), ("packed", "<i8"), ("size", "<i8"), ("crc", "<u4"), ("method", "<u2")])

    def __init__(self, where: str) -> None:
        self.where = where
        self._file = ListedFile(where)

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        size, packed = int(row["size"]), int(row["packed"])
        if max(size, packed) > FILE_LIMIT:
            raise ReadError(path, too_large(max(size, packed)))
        data = self._packed(path, row, packed)
        if row["method"] != STORED:
            data = _unpacked(path, data, int(row["method"]), size)
        if len(data) != size or zlib.crc32(data) != row["crc"]:
            raise ReadError(path, "the archive is damaged here (the checksum does not fit)")
        return data

    def fetch_all(self, paths: Sequence[str], rows: np.ndarray) -> Iterator[bytes | ReadError]:
        """The bytes of many files: small ones that lie behind each other are read in one go."""
        offsets, lengths, sizes, sums, methods = (rows[name].tolist() for name in ZipReader.row.names or ())
        block, first, beyond = b"", 0, 0  # of files before `beyond`, from offset `first` on
        for k, path in enumerate(paths):
            try:
                if k >= beyond:
                    beyond, length = _stretch(offsets, lengths, k)
                    first, block = offsets[k], self._file.at(offsets[k], length) if length else b""
                at = offsets[k] - first
                if block[at : at + 4] != _MEMBER or len(block) < at + 30 or sizes[k] > FILE_LIMIT:
                    yield self.fetch(path, rows[k])
                    continue
                name, extra = _NAMES.unpack_from(block, at + 26)
                start = at + 30 + name + extra
                data = block[start : start + lengths[k]]
                if methods[k] != STORED:
                    data = _unpacked(path, data, methods[k], sizes[k])
                if len(data) == sizes[k] and zlib.crc32(data) == sums[k]:
                    yield data
                else:  # its header is longer than told, or it is damaged, which is then said
                    yield self.fetch(path, rows[k])
            except ReadError as why:
                yield why

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        packed, method = int(row["packed"]), int(row["method"])
        enough = _BLOCKS.get(method, 4096)  # packed bytes that surely hold the first few
        data = self._packed(path, row, min(packed, enough))
        return data[:_HEAD] if method == STORED else _unpacked(path, data, method, _HEAD)[:_HEAD]

    def _packed(self, path: str, row: np.void, length: int) -> bytes:
        """The member as it stands in the archive, behind a local header that alone tells its own length."""
        offset = int(row["offset"])
        guess = 30 + len(path) + 64
        block = self._file.at(offset, guess + length)
        if block[:4] != _MEMBER or len(block) < 30:
            raise ReadError(path, "the archive is damaged here (a member is not where its directory says)")
        name, extra = _NAMES.unpack_from(block, 26)
        start = 30 + name + extra
        if start <= guess:
            return block[start : start + length]
        return self._file.at(offset + start, length)


def _unpacked(path: str, data: bytes, method: int, size: int) -> bytes:
    """`data` decompressed, and never more than a byte beyond the `size` that was promised: no bomb."""
    try:
        return _UNPACKERS[method](data, size)
    except (zlib.error, lzma.LZMAError, OSError, ValueError, struct.error) as why:
        raise ReadError(path, "the archive is damaged here (it does not decompress)") from why


def _from_lzma(data: bytes, size: int) -> bytes:
    """The form of APPNOTE 5.8.8: two bytes of version, the length of the properties, the properties, the stream."""
    (length,) = struct.unpack_from("<H", data, 2)
    packed, dictionary = struct.unpack_from("<BI", data, 4)
    filters = {
        "id": lzma.FILTER_LZMA1,
        "lc": packed % 9,
        "lp": packed // 9 % 5,
        "pb": packed // 45,
        "dict_size": min(dictionary, max(size, 4096)),  # what is never filled need not be allotted
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters]).decompress(data[4 + length :], size + 1)


STORED = 0
_BLOCKS = {12: 2**20}  # bzip2 gives nothing before a whole block of up to 900,000 bytes
# methods of a zip by their number in APPNOTE 4.4.5: data, size -> at most size + 1 bytes
_UNPACKERS: dict[int, Callable[[bytes, int], bytes]] = {
    8: lambda data, size: zlib.decompressobj(-15).decompress(data, size + 1),
    12: lambda data, size: bz2.BZ2Decompressor().decompress(data, size + 1),
    14: _from_lzma,
}
ZIP_METHODS = frozenset([STORED, *_UNPACKERS])


class TarReader:
    """Members of an uncompressed tar archive."""

    kind = "tar"
    row = np.dtype([("offset", "<i8"), ("size", "<i8")])

    def __init__(self, where: str) -> None:
        self.where = where
        self._file = ListedFile(where)

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        size = int(row["size"])
        if size > FILE_LIMIT:
            raise ReadError(path, too_large(size))
        data = self._file.at(int(row["offset"]), size)
        if len(data) != size:
            raise ReadError(path, "the archive ends before this file does")
        return data

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        return self._file.at(int(row["offset"]), min(int(row["size"]), _HEAD))


class DigitsReader:
    """Scikit-learn's digits: the row is the picture, 64 pixels of 0..16, and its bytes are a PGM file."""

    kind = "digits"
    row = np.dtype([("pixels", "u1", (64,))])

    def __init__(self, where: str = "") -> None:
        self.where = where

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        gray = bytes((255 * int(v) + 8) // 16 for v in row["pixels"])  # 0..16 -> 0..255
        return b"P5 8 8 255\n" + gray

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        return self.fetch(path, row)[:_HEAD]


# kind -> the class that reads it, and for those that need more than this file its module
_READERS: dict[str, type[Any] | str] = {
    "folder": FolderReader,
    "zip": ZipReader,
    "tar": TarReader,
    "digits": DigitsReader,
    "rows": "svertka.data.tables.rows:RowReader",
    "parquet": "svertka.data.tables.parquet:ParquetReader",
    "several": "svertka.data.sources.concat:SeveralReader",
}


def open_reader(kind: str, where: str) -> Reader:
    """Make a reader again, in any process. Raises DataError."""
    found = _READERS[kind]
    if isinstance(found, str):
        module, _, name = found.partition(":")
        found = getattr(importlib.import_module(module), name)
    reader: Reader = found(where)
    return reader


def _stretch(offsets: list[int], lengths: list[int], k: int) -> tuple[int, int]:
    """How far small members lie close behind each other from number k on: (the first that does not, bytes to read)."""
    stop, end = k, offsets[k]
    while (
        stop < len(offsets)
        and 0 <= offsets[stop] - end <= _SMALL
        and lengths[stop] <= _SMALL
        and offsets[stop] - offsets[k] < _STRETCH
    ):
        end = offsets[stop] + lengths[stop]
        stop += 1
    return (stop, end + _SMALL - offsets[k]) if stop > k + 1 else (k + 1, 0)


def too_large(size: int) -> str:
    """The reason why a file of so many bytes is not read."""
    return f"it has {size / 2**20:,.0f} MB, too large for a picture"

"""The store: all pictures of a source decoded and resized, in one memory-mapped file in the user's cache.

A folder of a few files, either finished or absent. Its name tells source and `Preprocess` apart, so a run with
either changed makes another store. Everything carries checksums: a store that was damaged is not opened but built
again. Whoever uses a store holds its lock, so that no one removes it meanwhile.

    pixels.bin   samples (n, *stored), such as uint8 (n, h, w, c), row by row; zeros where a file could not be read.
                 Where that would not fit the cache, JPEGs of that size instead, behind each other (compressed_pixels)
    columns.bin  a column behind the other: digest of each file, its size before it was resized, checksum of
                 what is kept, facts
    store.json   shape, kind, reasons for unreadable files, checksum of the columns and of itself
    NAME.npy     what was found out about it once, such as its copies
    lock         held by those who use it; its time is that of the last use
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from svertka.cache.locks import COUNTED, LOCK, Lock, hold
from svertka.common.atomic_write import write_bytes
from svertka.common.messages import restored, storable
from svertka.data.sources.source import Source
from svertka.data.store.columnar import ColumnFile, MappedColumns, MappedFile, Statistics
from svertka.data.store.compressed_pixels import Packed
from svertka.data.store.worker_protocol import result_of
from svertka.errors import DataError
from svertka.kinds import kind as kind_by_name
from svertka.kinds.base import Columns, Kind, Packer, Preprocess

VERSION = 7  # of what is written here and of the decoder: pixels of another version are not trusted
_LOOK = 2**26  # bytes of pixels that are compared with their checksums at each opening; others each time
_MANY = 2**17  # pictures of which that is done at most
_STRETCH = 2**12  # of them, after which the memory of their pages is given back


@dataclass(frozen=True)
class Store:
    """Decoded pictures.

    Attributes:
        pixels: (n, *stored) of the preprocessing's dtype, mapped from disk, or `Packed`, which is read like it.
        readable: bool (n,).
        reasons: why file i could not be read.
        digests: uint8 (n, 16), BLAKE2b-128 of the file bytes.
        sizes: int32 (n, 2), original (height, width); 0 where unreadable.
        preprocess: how the pictures were brought to one size.
        facts: small measures of each sample, read as `Kind.statistics` (n,); zeros where unreadable.
        columns: all that is kept of each picture, mapped from disk.
        folder: where it lies, or soon will.
    """

    pixels: Any
    readable: np.ndarray
    reasons: dict[int, str]
    digests: np.ndarray
    sizes: np.ndarray
    preprocess: Preprocess
    facts: Any = None
    columns: MappedColumns | None = field(default=None, repr=False)
    folder: Path | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.pixels)

    def kept(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """What `make` gives, an array that follows from the store alone: made once, and kept in its folder.

        Args:
            name: tells it from others, and from what another version of `make` gave.
            make: gives it.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or damaged: it is made again
            data = path.read_bytes()
            if hashlib.blake2b(data[16:], digest_size=16).digest() == data[:16]:
                return np.asarray(np.load(io.BytesIO(data[16:]), allow_pickle=False))
        found, packed = make(), io.BytesIO()
        np.save(packed, found, allow_pickle=False)
        with contextlib.suppress(OSError):  # not yet in its place, or a cache that may only be read
            write_bytes(path, hashlib.blake2b(packed.getvalue(), digest_size=16).digest() + packed.getvalue())
        return found

    @property
    def kind(self) -> Kind:
        """The kind of its samples."""
        return kind_by_name(self.preprocess.kind)

    def columns_of(self, index: np.ndarray) -> Columns:
        """The statistics of some samples (k,); a column is in memory only as long as whoever asked for it keeps it."""
        return _ColumnsOf(self, index)

    def release(self) -> None:
        """Give back the memory of columns that have been looked at; looking again reads them from the disk again."""
        if self.columns is not None:
            self.columns.mapped.release()


@dataclass(frozen=True, slots=True)
class _ColumnsOf:
    store: Store
    index: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        found: np.ndarray = self.store.facts[name][self.index]
        self.store.release()
        return found

    @property
    def sizes(self) -> np.ndarray:
        return self.store.sizes[self.index]


def store_key(source: Source, preprocess: Preprocess) -> str:
    """The name of the store of this source under this preprocessing."""
    facts = json.dumps(preprocess.stored_by(), sort_keys=True)
    digest = hashlib.blake2b(f"{VERSION} {facts}".encode(), digest_size=16)
    digest.update(source.identity())
    return digest.hexdigest()


def column_file(folder: Path, n: int, preprocess: Preprocess) -> ColumnFile:
    """Where the columns of a store of n samples lie."""
    result = result_of(kind_by_name(preprocess.kind))
    columns = np.dtype([*((name, result[name]) for name in result.names or ()), ("start", "<i8")])
    return ColumnFile(folder / "columns.bin", columns, n)


def sample_bytes(preprocess: Preprocess) -> int:
    """Bytes of one sample as it is stored."""
    return math.prod(preprocess.stored) * int(preprocess.dtype.itemsize)


def seal(folder: Path, preprocess: Preprocess, n: int, packed: bool, reasons: dict[int, str]) -> None:
    """Write what tells that a store is whole: its pixels and columns are in place already."""
    facts = {
        "version": VERSION,
        "shape": (n, *preprocess.stored),
        "packed": packed,
        "reasons": {str(i): storable(reasons[i]) for i in sorted(reasons)},
        "columns": column_file(folder, n, preprocess).digest(),
    }
    text = json.dumps(facts, ensure_ascii=True)
    checksum = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    (folder / "store.json").write_text(f"{checksum}\n{text}\n", encoding="ascii")


def open_store(folder: Path, n: int, preprocess: Preprocess) -> Store | None:
    """The store in a folder, held from now on; None where there is none, or none that can be trusted."""
    lock = None
    try:
        checksum, text = (folder / "store.json").read_text(encoding="ascii").splitlines()
        if hashlib.blake2b(text.encode(), digest_size=16).hexdigest() != checksum:
            return None
        lock = hold(folder / LOCK, shared=True, patience=COUNTED)
        if lock is None:  # it is being removed
            return None
        with contextlib.suppress(OSError):  # a cache that may only be read keeps no time of last use
            os.utime(folder / LOCK)
        facts = json.loads(text, object_hook=restored)
        kept = column_file(folder, n, preprocess)
        if (
            facts["version"] == VERSION
            and tuple(facts["shape"]) == (n, *preprocess.stored)
            and kept.path.stat().st_size == kept.nbytes
            and facts["columns"] == kept.digest()
        ):
            columns, packed = kept.mapped(), facts["packed"]
            if (folder / "pixels.bin").stat().st_size == _bytes(columns, preprocess, packed) and _intact(
                folder / "pixels.bin", columns, preprocess, packed
            ):
                return map_store(folder, preprocess, columns, packed, _by_index(facts["reasons"]), lock)
    except (OSError, ValueError, KeyError, EOFError, UnicodeDecodeError):  # not there, or damaged: it is built again
        pass
    if lock is not None:
        lock.close()
    return None


def map_store(
    folder: Path,
    preprocess: Preprocess,
    columns: MappedColumns,
    packed: bool,
    reasons: dict[int, str],
    lock: Lock | None,
    home: Path | None = None,
) -> Store:
    """A store whose columns are mapped and whose pixels lie in the folder, which soon stands at `home`."""
    n = len(columns["digest"])
    kind = kind_by_name(preprocess.kind)
    shape, pixels = (n, *preprocess.stored), folder / "pixels.bin"
    try:
        if packed:
            packer = cast(Packer, kind.packer(preprocess))  # `builder` packs nothing that has none
            kept: Any = Packed(pixels, columns["start"], columns["length"], columns["sum"], shape, packer)
        else:
            kept = MappedFile(pixels, shape, preprocess.dtype)
    except OSError as why:
        raise DataError(f"The store in {folder} cannot be opened ({why.strerror}).") from why
    readable = np.ones(n, bool)
    readable[list(reasons)] = False
    kept.lock = lock  # so long as anyone has the pixels, nobody removes the store
    digests, sizes, facts = columns["digest"], columns["size"], Statistics(columns, kind.statistics)
    return Store(kept, readable, reasons, digests, sizes, preprocess, facts, columns, home or folder)


def _by_index(reasons: dict[str, str]) -> dict[int, str]:
    return {int(i): reason for i, reason in reasons.items()}


def _bytes(columns: MappedColumns, preprocess: Preprocess, packed: bool) -> int:
    if packed:
        return int(columns["length"].sum(dtype=np.int64))
    return len(columns["digest"]) * sample_bytes(preprocess)


def _intact(path: Path, columns: MappedColumns, preprocess: Preprocess, packed: bool) -> bool:
    """Whether pictures fit their checksums: all of a small store, of a large one others each time it is opened."""
    n, each = len(columns["digest"]), sample_bytes(preprocess)
    mean = int(columns["length"].mean()) if packed else each
    most = max(1, min(_MANY, _LOOK // max(1, mean)))
    chosen = np.arange(n) if n <= most else np.unique(np.random.default_rng().integers(n, size=most))
    mapped = MappedFile(path, (path.stat().st_size,))
    with memoryview(np.asarray(mapped)) as view:
        for first in range(0, len(chosen), _STRETCH):
            some = chosen[first : first + _STRETCH]
            starts = columns["start"][some].tolist() if packed else (some * each).tolist()
            lengths = columns["length"][some].tolist() if packed else [each] * len(some)
            sums = [zlib.crc32(view[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
            if (np.array(sums, np.uint32) != columns["sum"][some]).any():
                return False
            mapped.release()
    return True

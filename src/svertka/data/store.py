"""The store: all pictures of a source decoded and resized, in one memory-mapped file in the user's cache.

A folder of a few files, either finished or absent. Its name tells source and `Preprocess` apart, so a run with
either changed makes another store. Everything carries checksums: a store that was damaged is not opened but built
again. Whoever uses a store holds its lock, so that no one removes it meanwhile.

    pixels.bin   uint8 (n, h, w, c), row by row; zeros where a file could not be read. Where that would not fit the
                 cache, JPEGs of that size instead, behind each other (`svertka.data.packed`)
    columns.npy  COLUMNS (n,): digest of each file, its size before it was resized, checksum of what is kept, facts
    store.json   shape, kind, reasons for unreadable files, checksum of the columns and of itself
    lock         held by those who use it; its time is that of the last use
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data.facts import FACTS
from svertka.data.messages import RESULT
from svertka.data.packed import Packed
from svertka.data.scratch import LOCK, Lock, hold
from svertka.data.source import Source
from svertka.errors import DataError
from svertka.signals.image import Preprocess

VERSION = 4  # of what is written here and of the decoder: pixels of another version are not trusted
_LOOK = 2**26  # bytes of pixels that are compared with their checksums at each opening; others each time
_MANY = 2**17  # pictures of which that is done at most
COLUMNS = np.dtype([*((name, RESULT[name]) for name in RESULT.names or ()), ("start", "<i8")])


@dataclass(frozen=True)
class Store:
    """Decoded pictures.

    Attributes:
        pixels: uint8 (n, h, w, c), mapped from disk, or `Packed`, which is read like it.
        readable: bool (n,).
        reasons: why file i could not be read.
        digests: uint8 (n, 16), BLAKE2b-128 of the file bytes.
        sizes: int32 (n, 2), original (height, width); 0 where unreadable.
        preprocess: how the pictures were brought to one size.
        facts: FACTS (n,), small measures of each picture; zeros where unreadable.
    """

    pixels: Any
    readable: np.ndarray
    reasons: dict[int, str]
    digests: np.ndarray
    sizes: np.ndarray
    preprocess: Preprocess
    facts: np.ndarray = field(default_factory=lambda: np.zeros(0, FACTS))

    def __len__(self) -> int:
        return len(self.pixels)


def store_key(source: Source, preprocess: Preprocess) -> str:
    """The name of the store of this source under this preprocessing.

    Mean and deviation are no part of it, as they are applied to batches; but "pad" has borders of the mean.
    """
    facts: dict[str, Any] = preprocess.to_dict()
    if preprocess.fit != "pad":
        del facts["mean"]
    del facts["std"]
    digest = hashlib.blake2b(f"{VERSION} {json.dumps(facts, sort_keys=True)}".encode(), digest_size=16)
    digest.update(source.identity())
    return digest.hexdigest()


def pixel_shape(n: int, preprocess: Preprocess) -> tuple[int, int, int, int]:
    """(n, height, width, channels) of the pixels of a store."""
    channels, height, width = preprocess.shape
    return n, height, width, channels


def write_facts(folder: Path, preprocess: Preprocess, columns: np.ndarray, reasons: dict[int, str]) -> None:
    """Write everything but the pixels, which are in place already, and the checksums of all."""
    np.save(folder / "columns.npy", columns)
    facts = {
        "version": VERSION,
        "shape": pixel_shape(len(columns), preprocess),
        "packed": bool(columns["length"].any()),
        "reasons": {str(i): reasons[i] for i in sorted(reasons)},
        "columns": _digest(columns),
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
        lock = hold(folder / LOCK, shared=True)
        if lock is None:  # it is being removed
            return None
        with contextlib.suppress(OSError):  # a cache that may only be read keeps no time of last use
            os.utime(folder / LOCK)
        facts = json.loads(text)
        columns = np.asarray(np.load(folder / "columns.npy", mmap_mode="c"))  # a million rows take no memory of ours
        if (
            facts["version"] == VERSION
            and tuple(facts["shape"]) == pixel_shape(n, preprocess)
            and columns.dtype == COLUMNS
            and len(columns) == n
            and facts["columns"] == _digest(columns)
            and (folder / "pixels.bin").stat().st_size == _bytes(columns, preprocess, facts["packed"])
            and _intact(folder / "pixels.bin", columns, preprocess, facts["packed"])
        ):
            return map_store(folder, preprocess, columns, _by_index(facts["reasons"]), lock)
    except (OSError, ValueError, KeyError, EOFError, UnicodeDecodeError):  # not there, or damaged: it is built again
        pass
    if lock is not None:
        lock.close()
    return None


def map_store(
    folder: Path, preprocess: Preprocess, columns: np.ndarray, reasons: dict[int, str], lock: Lock | None
) -> Store:
    """A store whose columns are known and whose pixels lie in the folder."""
    shape, pixels = pixel_shape(len(columns), preprocess), folder / "pixels.bin"
    try:
        if columns["length"].any():
            kept: Any = Packed(pixels, columns["start"], columns["length"], columns["sum"], shape)
        else:
            kept = np.memmap(pixels, np.uint8, "c", shape=shape)
    except OSError as why:
        raise DataError(f"The store in {folder} cannot be opened ({why.strerror}).") from why
    readable = np.ones(len(columns), bool)
    readable[list(reasons)] = False
    digests = np.ascontiguousarray(columns["digest"])
    kept.lock = lock  # so long as anyone has the pixels, nobody removes the store
    return Store(kept, readable, reasons, digests, columns["size"], preprocess, columns["facts"])


def _by_index(reasons: dict[str, str]) -> dict[int, str]:
    return {int(i): reason for i, reason in reasons.items()}


def _digest(columns: np.ndarray) -> str:
    return hashlib.blake2b(columns.view(np.uint8).data, digest_size=16).hexdigest()


def _bytes(columns: np.ndarray, preprocess: Preprocess, packed: bool) -> int:
    if packed:
        return int(columns["length"].sum(dtype=np.int64))
    return int(np.prod(pixel_shape(len(columns), preprocess), dtype=np.int64))


def _intact(path: Path, columns: np.ndarray, preprocess: Preprocess, packed: bool) -> bool:
    """Whether pictures fit their checksums: all of a small store, of a large one others each time it is opened."""
    each = int(np.prod(preprocess.shape))
    lengths = columns["length"] if packed else np.full(len(columns), each)
    starts = columns["start"] if packed else np.arange(len(columns), dtype=np.int64) * each
    chosen = np.arange(len(columns))
    most = max(1, min(_MANY, _LOOK // max(1, int(lengths.mean()))))
    if len(chosen) > most:
        chosen = np.sort(np.random.default_rng().choice(len(chosen), most, replace=False))
    pieces = zip(starts[chosen].tolist(), lengths[chosen].tolist(), strict=True)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        sums = [zlib.crc32(view[start : start + length]) for start, length in pieces]
    return bool((np.array(sums, np.uint32) == columns["sum"][chosen]).all())

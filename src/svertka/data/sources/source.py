"""A source: where pictures and their classes come from, listed but not yet read.

Every kind of place becomes the same columns: a path, a label, a part and a size for each file, and a reader that
fetches its bytes. `svertka.data.sources.open` says which kind is which.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from svertka.data.path_array import Paths
from svertka.data.sources.groups import Groups
from svertka.data.sources.readers import Reader
from svertka.records import Unreadable

ENDINGS = (".gz", ".bz2", ".xz", ".tar", ".tgz", ".zip", ".csv", ".tsv", ".parquet", ".txt")  # no part of a name


@dataclass(frozen=True)
class Source:
    """Pictures with their classes, listed and ready to be read.

    Attributes:
        name: how people call it.
        kind: "folder", "zip", "tar", "shards", "table", "rows", "digits", or "several" of them.
        where: the path or address, or the built-in name, in the words of messages.
        classes: names of classes, in natural order.
        paths: of each picture, as people know it.
        labels: int32 (n,), index into `classes`.
        parts: uint8 (n,), 0 undecided, 1 train, 2 validation, 3 test.
        sizes: int64 (n,), bytes; 0 where that is not known before the file is read.
        reader, rows: what fetches the bytes, and what it needs to know of each file.
        skipped: files and folders that were left out, with reasons.
        stamp: what tells this place from others whose files look the same from outside.
        notes: sentences on what looks odd but is allowed.
        groups: files that belong together by name, where that was asked for or a table says so.
        places: what `open_source` takes to open it again, where it is more than `where`.
        sample: the kind of its samples.
    """

    name: str
    kind: str
    where: str
    classes: tuple[str, ...]
    paths: Paths
    labels: np.ndarray
    parts: np.ndarray
    sizes: np.ndarray
    reader: Reader = field(repr=False)
    rows: np.ndarray = field(repr=False)
    skipped: tuple[Unreadable, ...] = ()
    stamp: str = ""
    notes: tuple[str, ...] = ()
    groups: Groups | None = field(default=None, repr=False)
    places: tuple[str, ...] = ()
    sample: str = "image"

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, i: int) -> bytes:
        """The bytes of one file.

        Raises:
            ReadError: it has vanished or changed, or may not be read.
        """
        return self.reader.fetch(self.paths[i], self.rows[i])

    def identity(self) -> bytes:
        """16 bytes that differ when a file is added, renamed or changed (as far as its outside tells)."""
        digest = hashlib.blake2b(f"{self.kind}\0{self.stamp}\0".encode("utf-8", "surrogateescape"), digest_size=16)
        digest.update(np.ascontiguousarray(self.paths.ends).data)
        digest.update(self.paths.blob)
        digest.update(np.ascontiguousarray(self.rows).view(np.uint8).data)
        return digest.digest()

    def to_dict(self) -> dict[str, Any]:
        """What a run keeps of it, so that `reopen_source` finds it again."""
        told = {"where": self.where, "kind": self.kind, "files": len(self)}
        return told | ({"places": list(self.places)} if self.places else {})


def name_of(where: str) -> str:
    """What people call a place: the last word of its path or address, without endings.

    >>> name_of("data/flowers.tar.gz"), name_of("s3://bucket/birds.csv#label=species")
    ('flowers', 'birds')
    """
    whole = where.partition("#")[0].replace("\\", "/")
    last = PurePosixPath(whole).name
    if last in ("", ".."):  # the folder at hand, or one above it: what it is called there does not say
        last = Path(whole).resolve().name or "data"
    name = last
    while (ending := next((e for e in ENDINGS if name.lower().endswith(e)), None)) and name != ending:
        name = name[: -len(ending)]
    return name or last or where

"""The store: all pictures of a source decoded and resized, in one memory-mapped file in the user's cache.

A folder of five files, either finished or absent. Its name tells source and `Preprocess` apart, so a run with
either changed makes another store. `store.json` carries checksums: a store that was damaged is not opened but
built again.

    pixels.bin   uint8 (n, h, w, c), row by row; zeros where a file could not be read
    digests.npy  uint8 (n, 16), BLAKE2b-128 of the bytes of each file
    sizes.npy    int32 (n, 2), height and width of each picture before it was resized
    facts.npy    FACTS (n,), what `svertka.data.facts` measured while the pixels were at hand
    store.json   shape, reasons for unreadable files, checksums
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from svertka.data.facts import FACTS
from svertka.data.source import Source
from svertka.errors import DataError
from svertka.signals.image import Preprocess

VERSION = 3  # of what is written here and of the decoder: pixels of another version are not trusted
_PROBES = 64  # places of pixels.bin that the checksum looks at
_PROBE = 4096  # bytes at each


@dataclass(frozen=True)
class Store:
    """Decoded pictures.

    Attributes:
        pixels: uint8 (n, h, w, c), mapped from disk.
        readable: bool (n,).
        reasons: why file i could not be read.
        digests: uint8 (n, 16), BLAKE2b-128 of the file bytes.
        sizes: int32 (n, 2), original (height, width); 0 where unreadable.
        preprocess: how the pictures were brought to one size.
        facts: FACTS (n,), small measures of each picture; zeros where unreadable.
    """

    pixels: np.ndarray
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


def write_facts(
    folder: Path,
    preprocess: Preprocess,
    digests: np.ndarray,
    sizes: np.ndarray,
    reasons: dict[int, str],
    measured: np.ndarray,
) -> None:
    """Write everything but the pixels, which are in place already, and the checksums of all."""
    np.save(folder / "digests.npy", digests)
    np.save(folder / "sizes.npy", sizes)
    np.save(folder / "facts.npy", measured)
    facts = {
        "version": VERSION,
        "shape": pixel_shape(len(digests), preprocess),
        "reasons": {str(i): reasons[i] for i in sorted(reasons)},
        "pixels": _probe(folder / "pixels.bin"),
        "columns": _columns_digest(digests, sizes, measured),
    }
    text = json.dumps(facts, ensure_ascii=True)
    checksum = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    (folder / "store.json").write_text(f"{checksum}\n{text}\n", encoding="ascii")


def open_store(folder: Path, n: int, preprocess: Preprocess) -> Store | None:
    """The store in a folder; None where there is none, or none that can be trusted."""
    try:
        checksum, text = (folder / "store.json").read_text(encoding="ascii").splitlines()
        if hashlib.blake2b(text.encode(), digest_size=16).hexdigest() != checksum:
            return None
        facts = json.loads(text)
        digests, sizes, measured = (np.load(folder / f"{c}.npy") for c in ("digests", "sizes", "facts"))
        shape = pixel_shape(n, preprocess)
        whole = (
            facts["version"] == VERSION
            and tuple(facts["shape"]) == shape
            and (folder / "pixels.bin").stat().st_size == int(np.prod(shape, dtype=np.int64))
            and facts["columns"] == _columns_digest(digests, sizes, measured)
            and measured.dtype == FACTS
            and facts["pixels"] == _probe(folder / "pixels.bin")
        )
        reasons = _by_index(facts["reasons"])
        return map_store(folder, preprocess, digests, sizes, reasons, measured) if whole else None
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        UnicodeDecodeError,
    ):  # not there, or damaged: it is built again
        return None


def map_store(
    folder: Path,
    preprocess: Preprocess,
    digests: np.ndarray,
    sizes: np.ndarray,
    reasons: dict[int, str],
    measured: np.ndarray,
) -> Store:
    """A store whose columns are known and whose pixels lie in the folder."""
    shape = pixel_shape(len(digests), preprocess)
    try:
        pixels = np.memmap(folder / "pixels.bin", np.uint8, "c", shape=shape)
    except OSError as why:
        raise DataError(f"The store in {folder} cannot be opened ({why.strerror}).") from why
    readable = np.ones(len(digests), bool)
    readable[list(reasons)] = False
    return Store(pixels, readable, reasons, digests, sizes, preprocess, measured)


def _by_index(reasons: dict[str, str]) -> dict[int, str]:
    return {int(i): reason for i, reason in reasons.items()}


def _columns_digest(*columns: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for column in columns:
        digest.update(np.ascontiguousarray(column).view(np.uint8))
    return digest.hexdigest()


def _probe(path: Path) -> str:
    """A checksum of places spread over a file: finds the zeros that a lost write leaves, and is quick."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        length = file.seek(0, 2)
        for place in np.linspace(0, max(0, length - _PROBE), _PROBES).astype(int).tolist():
            file.seek(place)
            digest.update(file.read(_PROBE))
    return digest.hexdigest()

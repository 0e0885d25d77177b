"""A compressed tar archive can only be read from its start; so it is decompressed once, into the cache."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from svertka.cache import cache_folder
from svertka.errors import DataError

_BLOCK = 2**20
_SPARE = 2**30  # bytes of disk that are left free
_BOMB = 200  # times its size to which no archive of pictures unpacks, where that is more than _LARGE bytes
_LARGE = 2**32

# first bytes -> how to read what follows
_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def compression(head: bytes) -> bytes | None:
    """The mark of the compression that the first bytes announce, if any."""
    return next((mark for mark in _OPENERS if head.startswith(mark)), None)


def unpacked_tar(path: Path, mark: bytes) -> Path:
    """The same archive uncompressed, in the cache folder; made when it is first asked for.

    Raises:
        DataError: it does not decompress, or the cache is full or may not be written.
    """
    facts = path.stat()
    name = f"{path.absolute()}|{facts.st_size}|{facts.st_mtime_ns}".encode("utf-8", "surrogateescape")
    folder = cache_folder("archives")
    target = folder / f"{hashlib.blake2b(name, digest_size=16).hexdigest()}.tar"
    if target.exists():
        return target
    partial = target.with_suffix(f".{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(folder).free - _SPARE
        most = max(_BOMB * facts.st_size, _LARGE)
        with _OPENERS[mark](path) as packed, partial.open("wb") as plain:
            while block := _next(packed, path):
                room, most = room - len(block), most - len(block)
                if most < 0:
                    raise DataError(
                        f"{path} unpacks to more than {_BOMB} times its size, which no archive of pictures does."
                    )
                if room < 0:
                    raise DataError(
                        f"{path} does not fit unpacked into the cache folder {folder}; "
                        "the environment variable SVERTKA_CACHE names another."
                    )
                plain.write(block)
        partial.replace(target)
    except OSError as why:
        raise DataError(
            f"{path} cannot be unpacked into {folder} ({why.strerror}); SVERTKA_CACHE names another."
        ) from why
    finally:
        partial.unlink(missing_ok=True)
    return target


def _next(packed: IO[bytes], path: Path) -> bytes:
    try:
        return packed.read(_BLOCK)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as why:
        raise DataError(f"{path} is damaged or incomplete: it does not decompress ({why}).") from why

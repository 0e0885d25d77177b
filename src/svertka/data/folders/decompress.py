"""A compressed tar archive can only be read from its start; so it is decompressed once, into the cache."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from svertka.cache.cached_files import cached_file, make_cached_file
from svertka.cache.folders import cache_folder
from svertka.cache.quota import make_room, room, too_little_room
from svertka.common.atomic_write import write_bytes
from svertka.errors import DataError

_BLOCK = 2**20
_STRIDE = 2**26  # bytes for which room is made at a time
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
    target = cache_folder("archives") / hashlib.blake2b(name, digest_size=16).hexdigest()
    found = cached_file(target)
    if found is not None:
        return found
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return make_cached_file(target, lambda place: _unpack(path, mark, place, target.parent))
    except OSError as why:
        raise DataError(
            f"{path} cannot be unpacked into {target.parent} ({why.strerror}); SVERTKA_CACHE names another."
        ) from why


def unpacked_members(archive: Path, folder: str, names: Sequence[str]) -> Path:
    """A folder of the cache with some files of one folder of a zip archive; made when it is first asked for.

    Raises:
        DataError: it does not decompress, or the cache may not be written.
    """
    facts = archive.stat()
    name = f"{archive.absolute()}|{facts.st_size}|{facts.st_mtime_ns}|{folder}".encode("utf-8", "surrogateescape")
    target = cache_folder("sets") / hashlib.blake2b(name, digest_size=16).hexdigest()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as members:
            for member in names:
                place = target / member
                if not place.exists():
                    write_bytes(place, members.read(f"{folder}/{member}" if folder else member))
                    os.utime(place, ns=(facts.st_mtime_ns, facts.st_mtime_ns))  # made again it is the same file
    except (OSError, zipfile.BadZipFile, zlib.error) as why:
        raise DataError(f"{archive} cannot be unpacked into {target} ({why}).") from why
    return target


def _unpack(path: Path, mark: bytes, place: Path, folder: Path) -> None:
    """Write the archive to its place, and make room in the cache as it grows: how large it gets nobody knows."""
    there, most, written, made = room(folder), max(_BOMB * path.stat().st_size, _LARGE), 0, 0
    with _OPENERS[mark](path) as packed, place.open("wb") as plain:
        while block := _next(packed, path):
            written += len(block)
            if written > most:
                raise DataError(
                    f"{path} unpacks to more than {_BOMB} times its size, which no archive of pictures does."
                )
            if written > there:
                raise DataError(too_little_room(folder, written, there, f"{path}: unpacked it takes more than"))
            if written > made:
                make_room(folder, _STRIDE)
                made += _STRIDE
            plain.write(block)


def _next(packed: IO[bytes], path: Path) -> bytes:
    try:
        return packed.read(_BLOCK)
    except (EOFError, zlib.error, lzma.LZMAError, ValueError, OSError) as why:  # bz2 has no error of its own
        raise DataError(f"{path} is damaged or incomplete: it does not decompress ({why}).") from why

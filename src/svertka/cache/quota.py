"""How much the cache may hold, and who leaves first: what nobody has used for longest, never what is in use.

Stores, fetched archives, unpacked ones and features leave alike. Each is a folder with a lock, which whoever uses it
holds. Who counts what is unused locks it meanwhile; so one process counts at a time (`undisturbed`), and who opens a
store waits.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from svertka.cache.folders import cache_folder, cache_limit
from svertka.cache.locks import COUNTED, LOCK, Lock, hold, megabytes, remove

LEAVING = ("stores", "remote", "archives", "features")  # folders of the cache whose folders may leave
SHARE = 0.5  # of the disk that is free or the cache's own: the limit where nobody names one
COUNTING = ".counting"  # the file that who counts has locked

_one_thread = threading.RLock()
_counting: list[Lock] = []  # of this process, while it counts


def room(place: Path) -> int:
    """Bytes that something new in this folder of the cache may take, beside what must stay, such as what is in use."""
    with _counted(place) as (held, allowed, used, free):
        leaving = sum(size for _, size, _, _ in held)
        return max(0, min(allowed - used, free) + leaving)


def make_room(place: Path, needed: int) -> None:
    """Remove what is unused, the oldest first, until `needed` bytes more fit into the limit and onto the disk."""
    with _counted(place) as (held, allowed, used, free):
        missing = max(used + needed - allowed, needed - free)
        for _, size, folder, _ in sorted(held, key=lambda one: one[0]):
            if missing <= 0:
                break
            remove(folder)
            missing -= size


@contextlib.contextmanager
def undisturbed(place: Path) -> Iterator[None]:
    """Nobody else counts what the cache holds, or makes room in it, before this block ends; it may stand within itself.

    Two who count together would take what the other has locked for used, and both would fill the same room.
    """
    with _one_thread:
        lock = None
        if not _counting:
            with contextlib.suppress(OSError):  # a cache whose upper folder may only be read
                lock = hold((cache_folder() if _in_cache(place) else place) / COUNTING, patience=COUNTED)
        if lock is None:
            yield
            return
        _counting.append(lock)
        try:
            yield
        finally:
            _counting.clear()
            with contextlib.suppress(OSError):  # the cache has been deleted
                lock.path.unlink()  # while it is locked, so that nobody holds a file that is gone
            lock.close()


@contextlib.contextmanager
def _counted(place: Path) -> Iterator[tuple[list[tuple[float, int, Path, Lock]], int, int, int]]:
    """What is unused, locked; bytes that the cache may hold, that it holds, and that the disk has free."""
    with undisturbed(place):
        held = _unused(place)
        try:
            used, free = _used(place), shutil.disk_usage(place).free
            limit = cache_limit()
            yield held, int(SHARE * (used + free)) if limit is None else limit, used, free
        finally:
            for _, _, _, lock in held:
                lock.close()


def too_little_room(place: Path, needed: int, there: int, what: str = "The decoded pictures need") -> str:
    """The sentence for what does not fit; of pictures not even as JPEG."""
    smaller = "choose smaller pictures by --size, " if place.name not in LEAVING[1:] else ""
    return (
        f"{what} {megabytes(needed)} in the cache folder {place}, where {megabytes(there)} are free; make room there, "
        f"allow more by --cache-limit, {smaller}or name another folder by the environment variable SVERTKA_CACHE."
    )


def _unused(place: Path) -> list[tuple[float, int, Path, Lock]]:
    """(last use, bytes, folder, lock) of everything that no process has open; locked until that lock is closed."""
    found = []
    for folder in _folders(place):
        with contextlib.suppress(OSError):
            when = (folder / LOCK).stat().st_mtime
            lock = hold(folder / LOCK)
            if lock is not None:
                found.append((when, _size(folder), folder, lock))
    return found


def _folders(place: Path) -> list[Path]:
    """What may leave: of the whole cache, or of this one folder where it lies elsewhere."""
    found = list[Path]()
    for parent in [cache_folder(kind) for kind in LEAVING] if _in_cache(place) else [place]:
        with contextlib.suppress(OSError):
            found += [folder for folder in parent.iterdir() if not folder.name.startswith(".") and folder.is_dir()]
    return found


def _used(place: Path) -> int:
    """Bytes of the whole cache folder, or of this one folder where it lies elsewhere."""
    return _size(cache_folder() if _in_cache(place) else place)


def _in_cache(place: Path) -> bool:
    return place in [cache_folder(kind) for kind in LEAVING]


def _size(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  a cache may hold many files
    return total

"""How much the cache may hold, and who leaves first: the store that nobody has used for longest, never one in use."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from svertka.cache import cache_folder, cache_limit
from svertka.data.scratch import LOCK, Lock, hold, megabytes, remove

SHARE = 0.5  # of the disk that is free or the cache's own: the limit where nobody names one


def room(stores: Path) -> int:
    """Bytes that new stores may take beside what must stay: other cached things, and stores in use."""
    held = _unused(stores)
    try:
        used, free = _used(stores), shutil.disk_usage(stores).free
        limit = cache_limit()
        allowed = int(SHARE * (used + free)) if limit is None else limit
        leaving = sum(size for _, size, _, _ in held)
        return max(0, min(allowed - used, free) + leaving)
    finally:
        for _, _, _, lock in held:
            lock.close()


def make_room(stores: Path, needed: int) -> None:
    """Remove unused stores, the oldest first, until `needed` bytes more fit into the limit and onto the disk."""
    held = sorted(_unused(stores), key=lambda one: one[0])
    used, free = _used(stores), shutil.disk_usage(stores).free
    limit = cache_limit()
    allowed = int(SHARE * (used + free)) if limit is None else limit
    missing = max(used + needed - allowed, needed - free)
    for _, size, folder, lock in held:
        if missing > 0:
            remove(folder)
            missing -= size
        lock.close()


def too_little_room(stores: Path, needed: int, there: int) -> str:
    """The sentence for pictures that do not fit, not even as JPEG."""
    return (
        f"The decoded pictures need {megabytes(needed)} in the cache folder {stores}, "
        f"where {megabytes(there)} are free; make room there, allow more by --cache-limit, choose smaller pictures by "
        "--size, or name another folder by the environment variable SVERTKA_CACHE."
    )


def _unused(stores: Path) -> list[tuple[float, int, Path, Lock]]:
    """(last use, bytes, folder, lock) of every store that no process has open; locked until that lock is closed."""
    found = []
    for folder in _folders(stores):
        with contextlib.suppress(OSError):
            when = (folder / LOCK).stat().st_mtime
            lock = hold(folder / LOCK)
            if lock is not None:
                found.append((when, _size(folder), folder, lock))
    return found


def _folders(stores: Path) -> list[Path]:
    try:
        return [folder for folder in stores.iterdir() if not folder.name.startswith(".") and folder.is_dir()]
    except OSError:
        return []


def _used(stores: Path) -> int:
    """Bytes of the whole cache folder, or of these stores alone where they lie elsewhere."""
    return _size(cache_folder() if stores == cache_folder("stores") else stores)


def _size(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  a cache may hold many files
    return total

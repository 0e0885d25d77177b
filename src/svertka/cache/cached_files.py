"""Files of the cache that are made once and used by many: archives that were fetched or unpacked.

Each lies in a folder of its own, finished or absent as a store is, and is locked by those who use it; so it counts for
the limit of the cache, and leaves when nobody has used it for longest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from svertka.cache.locks import COUNTED, LOCK, Lock, Scratch, hold, sweep
from svertka.errors import DataError

_FILE = "file"
_used: dict[Path, Lock] = {}  # what this process has asked for stays until it ends: its workers open it by name


def cached_file(target: Path) -> Path | None:
    """The file that is kept in the folder `target`, held from now on; None where there is none yet."""
    if target in _used and (target / _FILE).exists():
        return target / _FILE
    try:
        lock = hold(target / LOCK, shared=True, patience=COUNTED)
    except OSError:  # no such folder
        return None
    if lock is None or not (target / _FILE).exists():  # it is being removed
        return None
    with contextlib.suppress(OSError):  # a cache that may only be read keeps no time of last use
        os.utime(target / LOCK)
    _used[target] = lock
    return target / _FILE


def make_cached_file(target: Path, make: Callable[[Path], None]) -> Path:
    """The file that `make` writes to the place it is given, kept in the folder `target` and held from now on.

    Raises:
        DataError: the cache folder cannot be written, or what `make` raises.
        OSError: the disk is full, or the cache was deleted meanwhile.
    """
    sweep(target.parent)
    scratch = Scratch(target.parent)
    try:
        make(scratch.path / _FILE)
        os.utime(scratch.path / _FILE, (0, 0))  # made again later it is the same file to whoever compares its time
        scratch.publish(target)
    except BaseException:
        scratch.discard()
        raise
    _used.pop(target, None)  # of a folder that was there before
    found = cached_file(target)
    if found is None:
        raise DataError(f"{target} has been removed from the cache by another program; try again.")
    return found

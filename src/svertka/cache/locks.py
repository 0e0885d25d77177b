"""Folders that are finished or absent: one is filled under another name and renamed when all is done.

The process that works in a scratch folder holds a lock in it. The system lets go of the lock when the process
ends, however it ends; so whoever comes later can tell what is left of a dead process from what a living one
is busy with, and sweep it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
import weakref
from pathlib import Path
from typing import IO

from svertka.errors import DataError

try:
    import fcntl
except ImportError:  # Windows: there the age of a scratch folder decides
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".scratch-"
LOCK = "lock"  # the file in a store that whoever uses it holds
COUNTED = 60.0  # seconds that a store may stay locked by those who count what the cache holds (cache/quota.py)
_PAUSE = 0.01  # seconds between two tries for a lock
_YOUNG = 60.0  # seconds in which a scratch folder without a lock may still be about to get one
_OLD = 86400.0  # seconds after which a scratch folder is swept where locks are not to be had


class Lock:
    """A file that this process has locked, until the lock is closed, nobody refers to it, or the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self._close = weakref.finalize(self, os.close, descriptor)

    def share(self) -> None:
        """Let others use it too, from whom it was kept so far."""
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Give it up; any number of times."""
        self._close()


def hold(path: Path, *, shared: bool = False, patience: float = 0.0) -> Lock | None:
    """Lock a file, made where it is missing; None where another has it, and keeps it for `patience` seconds.

    Raises:
        OSError: it cannot be made or opened.
    """
    until = time.monotonic() + patience
    while True:
        descriptor = _opened(path)
        lock = Lock(path, descriptor)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return lock
        except BlockingIOError:
            if time.monotonic() >= until:
                lock.close()
                return None
            time.sleep(_PAUSE)
        except FileNotFoundError:  # whoever had it has removed it: the next one is another file
            pass
        lock.close()


def _opened(path: Path) -> int:
    """The file as a descriptor, made where it is missing."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as why:
        if why.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.exists():
            raise
        return os.open(path, os.O_RDONLY)  # a cache that may only be read


class Scratch:
    """A folder being filled, beside the place where it will stand.

    Attributes:
        path: the folder.
        lock: keeps it from being swept, and when it has its place from being removed, until it is closed.
    """

    def __init__(self, parent: Path) -> None:
        """Raises DataError where the parent cannot be made or written."""
        self.path = parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self.path.mkdir(parents=True)
            held = hold(self.path / LOCK)
            if held is None:
                raise BlockingIOError(errno.EAGAIN, "another process has taken its lock")
            self.lock = held
        except OSError as why:
            raise DataError(unwritable(parent, str(why.strerror))) from why

    def publish(self, target: Path) -> None:
        """Make it last, and move it to its place; where another process was quicker, drop this one."""
        for file in self.path.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        try:
            self.path.rename(target)
        except OSError:
            self.discard()
            if not target.is_dir():
                raise
            return
        self.lock.share()

    def discard(self) -> None:
        """Remove the folder and what is in it."""
        self.lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def remove(folder: Path) -> None:
    """Take a folder out of its place at once, then delete it; whoever has its files open keeps them."""
    aside = folder.with_name(f"{_PREFIX}removed-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):  # another process may have been quicker
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Delete the scratch folders of dead processes."""
    for folder in parent.glob(_PREFIX + "*"):
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        age = time.time() - folder.stat().st_mtime
        if age < _YOUNG or fcntl is None:
            return age > _OLD
        if not (folder / LOCK).exists():
            return True
        lock = hold(folder / LOCK)
    except OSError:  # another process sweeps it just now
        return False
    if lock is None:  # its process lives
        return False
    lock.close()
    return True


def reserve(path: Path, size: int) -> None:
    """Make a file of zeros of that size, with room on the disk for all of it.

    Raises:
        DataError: the disk is too full, or the folder may not be written.
    """
    folder = path.parent.parent
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise DataError(_full(folder, size, free))
    try:
        with path.open("wb") as file:
            if not _allocated(file, size):
                file.truncate(size)  # a file with holes: the disk may still fill up, which the writing then tells
    except OSError as why:
        if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DataError(_full(folder, size, free)) from why
        raise DataError(unwritable(folder, str(why.strerror))) from why


def _allocated(file: IO[bytes], size: int) -> bool:
    """Whether the file system has set the room aside; not every one can."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as why:
        if why.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    return True


def unwritable(folder: Path, why: str) -> str:
    """The sentence for a cache folder that cannot be written."""
    return f"The cache folder {folder} cannot be written ({why}); the environment variable SVERTKA_CACHE names another."


def _full(folder: Path, size: int, free: int) -> str:
    return (
        f"The decoded pictures need {megabytes(size)} in the cache folder {folder}, "
        f"where {megabytes(free)} are free; "
        "make room there, or name another folder by the environment variable SVERTKA_CACHE."
    )


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    if size < 2**20 / 10:
        return f"{size / 2**10:,.1f} kB"
    return f"{size / 2**20:,.1f} MB" if size < 2**30 else f"{size / 2**30:,.1f} GB"

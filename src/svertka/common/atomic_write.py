"""A file that is there whole or not at all: written aside under a name that nobody can guess, then renamed.

The file aside is made anew and through no link (O_EXCL), so that whoever may write to the folder cannot have another
file overwritten; a link at the place itself is replaced, and what it points to stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

PART = ".part"  # how a file aside ends, which a process that was killed leaves behind


@contextlib.contextmanager
def atomic_write(path: str | Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of `path` at the end of the block; a block that fails leaves none.

    Args:
        path: its place, in a folder that is there.
        durable: wait until the disk has it, so that a power cut leaves the old file or the new one.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    aside = Path(path).with_name(f".{secrets.token_hex(8)}{PART}")
    try:
        with aside.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def write_bytes(path: str | Path, data: bytes) -> None:
    """All of a file at once; see `atomic_write`."""
    with atomic_write(path) as file:
        file.write(data)


def write_npz(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """An .npz file; see `atomic_write`."""
    import numpy as np

    with atomic_write(path) as file:
        np.savez(file, **arrays)

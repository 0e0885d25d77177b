"""Archives and tables at an address (s3://, gs://, https://, ...): fetched once into the cache, by fsspec.

Pictures are decoded once and then kept, so an archive is read from its first byte to its last; a copy on the disk
makes that one stream, lets many processes read at once, and is there when the connection is not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from svertka.cache import cache_folder
from svertka.errors import DataError

_AT_ONCE = 8  # files that are fetched side by side
_SPARE = 2**30  # bytes of disk that are left free


def local_copies(addresses: Sequence[str]) -> dict[str, Path]:
    """Where a copy of each lies on this machine; what is not there yet, or has changed, is fetched.

    Raises:
        DataError: there is nothing at an address, it cannot be reached, or the cache is full.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(addresses, pool.map(_local_copy, addresses), strict=True))


def matching(pattern: str) -> list[str]:
    """The addresses that a pattern with wildcards matches, in order."""
    system, path = _file_system(pattern)
    try:
        return sorted(system.unstrip_protocol(found) for found in system.glob(path))
    except Exception as why:  # each kind of store has errors of its own
        raise _unreachable(pattern, why) from why


def _local_copy(address: str) -> Path:
    system, path = _file_system(address)
    folder = cache_folder("remote")
    try:
        facts = system.info(path)
        if facts.get("type") == "directory":
            raise DataError(f"{address} is a folder; name the archives in it, as in {address.rstrip('/')}/*.tar.")
        # size, time, tag: whatever this kind of store knows of the file
        told = f"{address}\0{sorted((k, str(v)) for k, v in facts.items())}"
        target = folder / hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
        if not target.exists():
            _fetch(system, path, target, facts.get("size"), address)
    except FileNotFoundError as why:
        raise DataError(f"There is nothing at {address}.") from why
    except DataError:
        raise
    except Exception as why:  # each kind of store has errors of its own
        raise _unreachable(address, why) from why
    return target


def _fetch(system: Any, path: str, target: Path, size: int | None, address: str) -> None:
    partial = target.with_suffix(f".{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if size is not None and size > shutil.disk_usage(target.parent).free - _SPARE:
            raise DataError(
                f"{address} ({size / 2**20:,.0f} MB) does not fit into the cache folder {target.parent}; "
                "the environment variable SVERTKA_CACHE names another."
            )
        system.get_file(path, str(partial))
        came = partial.stat().st_size
        if size is not None and came != size:
            raise DataError(f"{address} came incomplete ({came:,} of {size:,} bytes); try again.")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _file_system(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError as why:
        raise DataError(f"{address} is fetched by a package that is missing ({why}): try svertka[remote].") from why
    except Exception as why:  # an unknown protocol, or credentials that a store asks for at once
        raise _unreachable(address, why) from why
    return system, path


def _unreachable(address: str, why: Exception) -> DataError:
    told = (str(why) or type(why).__name__).splitlines()[0].rstrip(".")
    return DataError(f"{address} cannot be fetched ({told}).")

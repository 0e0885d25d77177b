"""Archives and tables at an address (s3://, gs://, https://, ...): fetched once into the cache, by fsspec.

Pictures are decoded once and then kept, so an archive is read from its first byte to its last; a copy on the disk
makes that one stream, lets many processes read at once, and is there when the connection is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svertka.cache import cache_folder
from svertka.data.cached_files import cached_file, make_cached_file
from svertka.data.room import make_room, room, too_little_room
from svertka.data.scratch import unwritable
from svertka.errors import DataError

_AT_ONCE = 8  # files that are fetched side by side


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file at an address: the store it lies in, its path there, its bytes where they are known, and its copy."""

    address: str
    system: Any
    path: str
    size: int | None
    target: Path


def local_copies(addresses: Sequence[str]) -> dict[str, Path]:
    """Where a copy of each lies on this machine; what is not there yet, or has changed, is fetched.

    Raises:
        DataError: there is nothing at an address, it cannot be reached, or the cache has no room for it.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = list(pool.map(_look, addresses))
        copies = {one.address: cached_file(one.target) for one in there}
        missing = [one for one in there if copies[one.address] is None]
        _make_room(missing)
        copies |= dict(zip([one.address for one in missing], pool.map(_fetched, missing), strict=True))
    return {address: copy for address, copy in copies.items() if copy is not None}


def matching(pattern: str) -> list[str]:
    """The addresses that a pattern with wildcards matches, in order."""
    system, path = _file_system(pattern)
    try:
        return sorted(system.unstrip_protocol(found) for found in system.glob(path))
    except Exception as why:  # each kind of store has errors of its own
        raise _unreachable(pattern, why) from why


def _look(address: str) -> _Remote:
    system, path = _file_system(address)
    try:
        facts = system.info(path)
    except FileNotFoundError as why:
        raise DataError(f"There is nothing at {address}.") from why
    except Exception as why:  # each kind of store has errors of its own
        raise _unreachable(address, why) from why
    if facts.get("type") == "directory":
        raise DataError(f"{address} is a folder; name the archives in it, as in {address.rstrip('/')}/*.tar.")
    # size, time, tag: whatever this kind of store knows of the file
    told = f"{address}\0{sorted((k, str(v)) for k, v in facts.items())}"
    key = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    return _Remote(address, system, path, facts.get("size"), cache_folder("remote") / key)


def _make_room(missing: Sequence[_Remote]) -> None:
    """Make room for all that will be fetched, as far as their sizes are known."""
    if not missing:
        return
    folder, needed = missing[0].target.parent, sum(one.size or 0 for one in missing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = room(folder)
    except OSError as why:
        raise DataError(unwritable(folder, str(why.strerror))) from why
    if needed > there:
        what = missing[0].address if len(missing) == 1 else f"{missing[0].address} and {len(missing) - 1} more"
        raise DataError(too_little_room(folder, needed, there, f"{what}: copies take"))
    make_room(folder, needed)


def _fetched(one: _Remote) -> Path:
    """Fetch one file into the cache."""

    def fetch(place: Path) -> None:
        one.system.get_file(one.path, str(place))
        came = place.stat().st_size
        if one.size is not None and came != one.size:
            raise DataError(f"{one.address} came incomplete ({came:,} of {one.size:,} bytes); try again.")
        if one.size is None:  # only now is it known
            there = room(one.target.parent)
            if not there:
                raise DataError(too_little_room(one.target.parent, came, there, f"{one.address}: a copy takes"))
            make_room(one.target.parent, 0)

    try:
        return make_cached_file(one.target, fetch)
    except DataError:
        raise
    except FileNotFoundError as why:
        raise DataError(f"There is nothing at {one.address}.") from why
    except Exception as why:  # each kind of store has errors of its own
        raise _unreachable(one.address, why) from why


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

"""Archives and tables at an address (s3://, gs://, https://, ...): fetched once into the cache, by fsspec.

Pictures are decoded once and then kept, so an archive is read from its first byte to its last; a copy on the disk
makes that one stream, lets many processes read at once, and is there when the connection is not: where nobody answers
at an address, the copy that was fetched last is taken, and it is said.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svertka.cache.cached_files import cached_file, make_cached_file
from svertka.cache.folders import cache_folder
from svertka.cache.locks import unwritable
from svertka.cache.quota import make_room, room, too_little_room
from svertka.cache.retry import Unreachable, file_system, patiently
from svertka.common.messages import message
from svertka.errors import DataError

_AT_ONCE = 8  # files that are fetched side by side
_TAGS = ("ETag", "etag", "md5Hash", "Content-MD5", "Digest")  # facts that tell one content from another
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file at an address.

    system, path: its client and how that calls it; size: bytes, where they are known; target: where its copy lies or
    will lie; lost: why nobody answers, where a copy has to do.
    """

    address: str
    target: Path
    system: Any = None
    path: str = ""
    size: int | None = None
    lost: str = ""


class _Search:
    """One search for copies: `stop` ends what still runs, `lost` tells which servers do not answer, and why."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.lost: dict[str, str] = {}


def local_copies(addresses: Sequence[str]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Where a copy of each lies on this machine; what is not there yet, or has changed, is fetched.

    Returns:
        The copies by address, and a sentence where nobody answered and older copies have to do.

    Raises:
        DataError: there is nothing at an address, it cannot be reached, or the cache has no room for it.
    """
    search = _Search()
    clients = [file_system(address) for address in addresses]  # one for all: each thread would get its own
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            there = list(pool.map(lambda address, own: _look(address, own[0], own[1], search), addresses, clients))
            for system, _ in clients:
                system.invalidate_cache()  # what a pattern has listed is asked for anew the next time
            copies = {one.address: cached_file(one.target) for one in there}
            missing = [one for one in there if copies[one.address] is None]
            _make_room(missing)
            fetched = pool.map(lambda one: _fetched(one, search), missing)
            copies |= dict(zip([one.address for one in missing], fetched, strict=True))
        except BaseException:
            search.stop.set()
            raise
    return {address: copy for address, copy in copies.items() if copy is not None}, _notes(there)


def matching(pattern: str) -> list[str]:
    """The addresses that a pattern with wildcards matches, in order."""
    system, path = file_system(pattern)
    above = path.partition("*")[0].rpartition("/")[0]

    def look() -> list[str]:
        system.invalidate_cache()
        found = sorted(system.unstrip_protocol(one) for one in system.glob(path))
        if not found:  # whatever goes wrong is nothing to `glob`
            with contextlib.suppress(FileNotFoundError):
                system.ls(above, detail=False)
        return found

    return patiently(pattern, look, threading.Event())


def _look(address: str, system: Any, path: str, search: _Search) -> _Remote:
    server = "/".join(address.split("/")[:3])
    folder, name = cache_folder("remote"), _short(address)
    try:
        if server in search.lost:  # all others there would be waited for as long
            raise Unreachable(address, search.lost[server])
        facts = patiently(address, lambda: system.info(path), search.stop)
    except Unreachable as why:
        search.lost[server] = why.reason
        kept = max(folder.glob(f"{name}-*"), key=_fetched_at, default=None)
        if kept is None:
            raise
        return _Remote(address, kept, lost=why.reason)
    if facts.get("type") == "directory":
        raise DataError(f"{address} is a folder; name the archives in it, as in {address.rstrip('/')}/*.tar.")
    return _Remote(address, folder / f"{name}-{_short(_version(facts))}", system, path, facts.get("size"))


def _version(facts: Mapping[str, Any]) -> str:
    """What tells the content from what lay there before: size and tag, or else whatever this kind of store knows."""
    tags = {name: facts[name] for name in ("size", *_TAGS) if facts.get(name)}
    telling = tags if tags.keys() & set(_TAGS) else facts
    return str(sorted((name, str(value)) for name, value in telling.items()))


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def _notes(there: Sequence[_Remote]) -> tuple[str, ...]:
    lost = [one for one in there if one.lost]
    if not lost:
        return ()
    day = time.strftime("%Y-%m-%d", time.localtime(min(_fetched_at(one.target) for one in lost)))
    return (
        message(
            "unreachable",
            "{address} cannot be reached ({why}): what was fetched on {day} is used.",
            address=_several(lost),
            why=str(lost[0].lost),
            day=day,
        ),
    )


def _fetched_at(copy: Path) -> float:
    """When a copy came, in seconds since 1970; 0 where it has just been removed."""
    try:
        return copy.stat().st_mtime
    except OSError:
        return 0.0


def _several(some: Sequence[_Remote]) -> str:
    return some[0].address if len(some) == 1 else f"{some[0].address} and {len(some) - 1} more"


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
        raise DataError(too_little_room(folder, needed, there, f"{_several(missing)}: copies take"))
    make_room(folder, needed)


def _fetched(one: _Remote, search: _Search) -> Path:
    """Fetch one file into the cache."""
    if one.lost:  # another process has removed the copy just now
        raise Unreachable(one.address, one.lost)
    try:
        return make_cached_file(
            one.target, lambda place: patiently(one.address, lambda: _stream(one, place, search.stop), search.stop)
        )
    except OSError as why:
        raise DataError(unwritable(one.target.parent, str(why.strerror))) from why


def _stream(one: _Remote, place: Path, stop: threading.Event) -> None:
    """Write what lies at an address to a place, from its start."""
    from fsspec.callbacks import Callback

    folder = one.target.parent
    most = room(folder) if one.size is None else one.size

    def watch(size: int | None, came: int, **_: object) -> None:
        if stop.is_set():
            raise DataError(f"{one.address} is no longer fetched: another file could not be had.")
        if one.size is None and came > most:  # nobody has told how long it goes on
            raise DataError(too_little_room(folder, came, most, f"{one.address}: a copy takes more than"))

    try:
        one.system.get_file(one.path, str(place), callback=Callback(hooks={"watch": watch}))
    except OSError as why:
        if why.filename is not None or why.errno in _FULL:  # it is our disk that fails
            raise DataError(unwritable(folder, str(why.strerror))) from why
        raise
    came = place.stat().st_size
    if one.size is None:
        make_room(folder, 0)
    elif came != one.size:
        raise Unreachable(one.address, f"it came incomplete, {came:,} of {one.size:,} bytes")

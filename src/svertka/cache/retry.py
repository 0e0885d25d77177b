"""Whoever is asked for an address: fsspec's client of its kind, how long it may be silent, what is tried again.

Some options of the clients do not suit archives of gigabytes, and others are set: that of HTTP ends every transfer
after five minutes, however well it goes; that of S3 holds ten blocks of 50 MB of each file in memory, gives up where
the connection breaks within one of them, and waits up to six minutes for a server that is silent. What the user has
configured for a client goes before ours.
"""

from __future__ import annotations

import errno
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from svertka.errors import DataError

SILENCE = 30.0  # seconds without a byte after which a connection counts as dead
PAUSES = (0.5, 1.0, 2.0)  # seconds between tries
PATIENCE = 60.0  # seconds after which nothing is tried again

_KINDS = {"http": "http", "https": "http", "s3": "s3", "s3a": "s3"}  # protocol -> kind of client
_PACKAGES = {"http": "aiohttp", "s3": "s3fs"}  # of the extra "remote"
_CREDENTIALS = {  # where they stand
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws/credentials hold them; what is public is read with "
    """FSSPEC_S3='{"anon": true}'""",
    "http": """FSSPEC_HTTP='{"headers": {"Authorization": "..."}}' sends them""",
}
_BROKEN = ("ClientPayloadError", "ResponseStreamingError", "IncompleteRead")  # errors of a body that ends too early
_GONE, _REFUSED = (404, 410), (401, 403, 407)  # answers over HTTP
_PASSING = (408, 425, 429)  # below 500 they say that the request was wrong; these may pass
_WRONG = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG, getattr(errno, "EREMCHG", errno.EINVAL))

T = TypeVar("T")


class Unreachable(DataError):
    """Nobody answers at an address, or the connection breaks off: another time it may go well."""

    def __init__(self, address: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{address} cannot be fetched ({reason}).")


def file_system(address: str) -> tuple[Any, str]:
    """The client for an address, and the path that it knows it by.

    Raises:
        DataError: the package for such addresses is not installed, or there is none.
    """
    try:
        from fsspec.config import conf
        from fsspec.core import url_to_fs

        kind = _kind(address)
        configured = {name for protocol, own in conf.items() if _KINDS.get(protocol) == kind for name in own}
        ours = {name: value for name, value in _options(kind).items() if name not in configured}
        system, path = url_to_fs(address, **ours)
    except ImportError as why:
        raise DataError(_lacking(address, why)) from why
    except Exception as why:  # an unknown protocol, or credentials that a store asks for at once
        raise _in_words(address, why) from why
    return system, path


def patiently(address: str, work: Callable[[], T], stop: threading.Event) -> T:
    """What `work` gives; it is tried again where what went wrong may pass, until `stop` is set.

    Raises:
        DataError: it went wrong for good; Unreachable where nobody answered all the time.
    """
    begun, pauses = time.monotonic(), list(PAUSES)
    while True:
        try:
            return work()
        except Exception as why:  # each kind of store has errors of its own
            error = _in_words(address, why)
            if not isinstance(error, Unreachable) or not pauses or time.monotonic() - begun > PATIENCE:
                raise error from why
        if stop.wait(pauses.pop(0)):
            raise error


def _kind(address: str) -> str:
    protocol = address.partition("://")[0].lower()
    return _KINDS.get(protocol, protocol)


def _options(kind: str) -> dict[str, Any]:
    """How a client of that kind is made."""
    if kind == "http":
        from aiohttp import ClientTimeout

        return {"timeout": ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE)}
    if kind == "s3":  # one stream of each file, which goes on where it broke off
        return {"max_concurrency": 1, "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    return {}


def _lacking(address: str, why: ImportError) -> str:
    package = _PACKAGES.get(_kind(address))
    if package is None:
        return f"{address} is fetched by a package that is not installed ({_first_line(why)})."
    return f"{address} is fetched by the package {package}, which is not installed: pip install 'svertka[remote]'."


def _in_words(address: str, why: BaseException) -> DataError:
    """What went wrong as a sentence; Unreachable where it may pass."""
    if isinstance(why, DataError):
        return why
    if isinstance(why, FileNotFoundError) and why.__cause__ is not None and _kind(address) == "http":
        why = why.__cause__  # this client takes everything for a missing file
    status = getattr(why, "status", None)  # of an answer over HTTP
    if isinstance(why, FileNotFoundError) or status in _GONE:
        return DataError(f"There is nothing at {address}.")
    said = _said(why, status)
    if isinstance(why, PermissionError) or status in _REFUSED or "Credential" in type(why).__name__:
        hint = _CREDENTIALS.get(_kind(address), "they stand where its client looks for them")
        return DataError(f"{address} is refused ({said}): it asks for credentials that may read it; {hint}.")
    if isinstance(why, (ValueError, TypeError, NotImplementedError)) or getattr(why, "errno", None) in _WRONG:
        return DataError(f"{address} cannot be fetched ({said}).")
    if isinstance(status, int) and status < 500 and status not in _PASSING:
        return DataError(f"{address} cannot be fetched ({said}).")
    return Unreachable(address, said)


def _said(why: BaseException, status: object) -> str:
    if type(why).__name__ in _BROKEN:
        return "the connection broke off"
    if isinstance(why, TimeoutError) and not str(why):
        return "it does not answer"
    if status is not None:
        return f"{status} {getattr(why, 'message', '')}".strip()
    return _first_line(why)


def _first_line(why: BaseException) -> str:
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(why)) or type(why).__name__
    return text.splitlines()[0].rstrip(".")

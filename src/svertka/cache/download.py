"""One file from the net into a folder: whole, verified, or not at all.

- Only https, and plain http to this very machine (loopback), where tests and mirrors live. A redirect keeps
  the scheme.
- A cut connection goes on where it stopped, in this run or the next (HTTP Range; If-Range, so that a file
  that was changed meanwhile starts anew). A server that ignores ranges sends all of it again.
- What has arrived stands beside the goal as `.part` and takes its name only after its SHA-256 is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from svertka.errors import WeightsError

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server says

CHUNK = 1 << 18
LARGEST = 4 << 30  # bytes; no published file here comes near
PAUSES = (0.5, 1.0, 2.0)  # seconds before each try that follows one without progress
PASSING = (408, 416, 425, 429, 500, 502, 503, 504)  # answers that may be another next time


class Opener(Protocol):
    """What `urllib.request.OpenerDirector` offers of itself here."""

    def open(self, request: urllib.request.Request, /, *, timeout: float) -> http.client.HTTPResponse:
        """Ask, follow redirects, and give the answer."""


class Cut(Exception):
    """The connection ended early; what arrived stays, and the next try goes on from there."""


BROKEN = (
    Cut,
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
    ValueError,  # a redirect to what is no address
)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is fetched and where it goes; `sha256` may be the digest's first digits, 8 or more."""

    url: str
    path: Path
    sha256: str
    largest: int = LARGEST


@dataclass(frozen=True, slots=True)
class Way:
    """How it is fetched: see `fetch_file`."""

    opener: Opener
    timeout: float
    pauses: tuple[float, ...]
    progress: Progress | None


def fetch_file(
    goal: Goal,
    *,
    progress: Progress | None = None,
    opener: Opener | None = None,
    timeout: float = 30.0,
    pauses: tuple[float, ...] = PAUSES,
) -> Path:
    """The file at `goal.path`, fetched unless it is there already.

    Args:
        goal: the address, the place, the digest.
        progress: called with the bytes so far and in all.
        opener: asks the server; `strict_opener()` where None.
        timeout: seconds to wait for a connection and for each next piece.
        pauses: seconds before each try after one without progress; when they are used up, it is given up.

    Raises:
        WeightsError: there is no connection, the server refuses, or the content is not what was published.
    """
    if goal.path.is_file():
        if not right(goal.path, goal):
            raise WeightsError(f"{goal.path} is not what was published; remove it, and it is fetched anew.")
        return goal.path
    if not allowed(goal.url):
        raise WeightsError(f"{goal.url} is not asked: only https addresses are, and http on this machine.")
    way = Way(opener or strict_opener(), timeout, pauses, progress)
    try:
        goal.path.parent.mkdir(parents=True, exist_ok=True)
        with part_of(goal.path) as part:
            if not right(part, goal):
                download(goal, part, way)
            if not right(part, goal):
                found = digest(part)[:8]
                forget(part)
                raise WeightsError(
                    f"What came from {goal.url} is not what was published (its sha256 begins with {found}, "
                    f"not {goal.sha256[:8]}); it was removed."
                )
            part.replace(goal.path)
            forget(part)
    except OSError as why:
        raise WeightsError(f"{goal.path} cannot be written: {why.strerror or why}.") from why
    return goal.path


def allowed(url: str) -> bool:
    """Whether an address may be asked: https anywhere, http on this machine.

    >>> allowed("https://download.pytorch.org/x.pth"), allowed("http://127.0.0.1:80/x"), allowed("http://a.org/x")
    (True, True, False)
    """
    parts = urlsplit(url)
    if parts.scheme == "http":
        try:
            return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
        except ValueError:  # a name, not a number
            return False
    return parts.scheme == "https" and bool(parts.hostname)


class StrictRedirect(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to the same scheme, and only where `allowed`."""

    max_redirections = 5

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> object:
        """Follow, or refuse and close the connection."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except (WeightsError, ValueError):
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request that follows; WeightsError where none may."""
        if urlsplit(newurl).scheme != req.type or not allowed(newurl):
            raise WeightsError(f"{req.full_url} redirects to {newurl}, where nothing is fetched from.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def strict_opener() -> Opener:
    """An opener that speaks http and https and nothing else: no file, ftp or data addresses, no passwords."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        StrictRedirect(),
    ):
        opener.add_handler(handler)
    return opener


def download(goal: Goal, part: Path, way: Way) -> None:
    """Fill the part; go on after every cut that brought something, and a few times after others."""
    left = list(way.pauses)
    while True:
        before = size_of(part)
        try:
            return receive(goal, part, way)
        except urllib.error.HTTPError as why:
            why.close()
            reason = f"the server answers {why.code} {why.reason}".rstrip()
            if why.code not in PASSING:
                left.clear()
            if why.code == 416:  # the part is as long as the file and yet not it
                forget(part)
        except BROKEN as why:
            inner = getattr(why, "reason", why)
            reason = str(getattr(inner, "strerror", None) or inner or type(inner).__name__)
            if size_of(part) > before:
                left = list(way.pauses)
        if not left:
            raise WeightsError(
                f"{goal.path.name} cannot be fetched ({reason}): "
                f"get {goal.url} on another machine or day and put it at {goal.path}."
            )
        time.sleep(left.pop(0))


def receive(goal: Goal, part: Path, way: Way) -> None:
    """One request: append to the part what it lacks.

    Raises:
        Cut: the server stopped before the end.
        WeightsError: it sends more than the file can have.
    """
    start, tag = size_of(part), tag_of(part)
    headers = {"User-Agent": "svertka", "Accept-Encoding": "identity"}
    if start and tag:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    request = urllib.request.Request(goal.url, headers=headers)
    with way.opener.open(request, timeout=way.timeout) as answer:
        goes_on = answer.status == 206
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            forget(part)
            raise Cut("the server sends another part than was asked for")
        done = start if goes_on else 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        if total is None or total <= goal.largest:
            tag_file(part).write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "", "utf-8")
            with part.open("ab" if goes_on else "wb") as out:
                while done <= goal.largest and (
                    piece := answer.read1(CHUNK)
                ):  # what has come, without waiting for more
                    done += out.write(piece)
                    if way.progress:
                        way.progress(done, total)
    if max(done, total or 0) > goal.largest:
        forget(part)
        raise WeightsError(f"{goal.url} sends more than the {goal.largest} bytes that {goal.path.name} can have.")
    if total is not None and done < total:
        raise Cut(f"the connection ended after {done} of {total} bytes")


@contextlib.contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """The unfinished file beside `path`, ours alone: who comes while it is taken gets one of another name."""
    part, lock = path.with_name(path.name + ".part"), path.with_name(path.name + ".lock")
    own = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    with lock.open("wb") as file:
        if lock_of(file):
            try:
                yield part
            finally:
                lock.unlink(missing_ok=True)
        else:
            try:
                yield own
            finally:
                forget(own)


def lock_of(file: IO[bytes]) -> bool:
    """Take the lock of an open file, which ends with it; False where another has it."""
    try:
        import fcntl
    except ImportError:  # on Windows everybody has an own part, and goes on after a cut within one run only
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def tag_file(part: Path) -> Path:
    """Where the server's mark of a part's content stands."""
    return part.with_name(part.name + ".tag")


def tag_of(part: Path) -> str:
    """The server's mark of the content that a part is of; a weak one proves nothing and counts as none."""
    tag = tag_file(part).read_text("utf-8") if tag_file(part).is_file() else ""
    return "" if tag.startswith("W/") else tag


def forget(part: Path) -> None:
    """Remove a part and its mark."""
    part.unlink(missing_ok=True)
    tag_file(part).unlink(missing_ok=True)


def size_of(part: Path) -> int:
    """Bytes that have arrived."""
    return part.stat().st_size if part.is_file() else 0


def right(path: Path, goal: Goal) -> bool:
    """Whether a file is there and is what was published."""
    return path.is_file() and digest(path).startswith(goal.sha256)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""One file from the net into a folder: whole, verified, or not at all.

- Only https, and plain http to this very machine (loopback), where tests and mirrors live. A redirect keeps the scheme.
- A cut connection goes on where it stopped, in this run or the next (HTTP Range; If-Range, so that a file that was
  changed meanwhile starts anew). A server that ignores ranges sends all of it again.
- What has arrived stands beside the goal as `.part` and takes its name only after its SHA-256 is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
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
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be better next time


class Opener(Protocol):
    """What `urllib.request.OpenerDirector` offers of itself here."""

    def open(self, request: urllib.request.Request, /, *, timeout: float) -> http.client.HTTPResponse: ...


class Cut(Exception):
    """The connection ended early; what arrived stays, and the next try goes on from there."""


def allowed(url: str) -> bool:
    """Whether an address may be asked: https anywhere, http on this machine.

    >>> allowed("https://download.pytorch.org/x.pth"), allowed("http://127.0.0.1:80/x"), allowed("http://a.org/x")
    (True, True, False)
    """
    parts = urlsplit(url)
    if parts.scheme == "http":
        try:
            return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return False
    return parts.scheme == "https" and bool(parts.hostname)


class StrictRedirect(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to the same scheme, and only where `allowed`."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != req.type or not allowed(newurl):
            raise WeightsError(f"{req.full_url} redirects to {newurl}, which is not followed: only {req.type} is.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def strict_opener() -> Opener:
    """An opener that speaks http and https and nothing else: no file, no ftp, no data addresses, no passwords."""
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


@dataclass(frozen=True, slots=True)
class Goal:
    """What is fetched and where it goes; `sha256` may be the digest's first digits, 8 or more."""

    url: str
    path: Path
    sha256: str
    largest: int = LARGEST

    @property
    def advice(self) -> str:
        """What a person without a connection can do."""
        return f"Fetch {self.url} elsewhere and put it at {self.path}."


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
        if not digest(goal.path).startswith(goal.sha256):
            raise WeightsError(f"{goal.path} is not the file that was published; remove it, and it is fetched anew.")
        return goal.path
    if not allowed(goal.url):
        raise WeightsError(f"{goal.url} is not asked: only https addresses are, and http on this machine.")
    try:
        goal.path.parent.mkdir(parents=True, exist_ok=True)
        with part_of(goal.path) as part:
            download(goal, part, progress, opener or strict_opener(), timeout, pauses)
            found = digest(part)
            if not found.startswith(goal.sha256):
                forget(part)
                raise WeightsError(
                    f"What came from {goal.url} is not the file that was published "
                    f"(its sha256 begins with {found[:8]}, not {goal.sha256[:8]}); it was removed."
                )
            os.replace(part, goal.path)
            forget(part)
    except OSError as why:
        raise WeightsError(f"{goal.path} cannot be written: {why.strerror or why}.") from why
    return goal.path


def download(
    goal: Goal, part: Path, progress: Progress | None, opener: Opener, timeout: float, pauses: tuple[float, ...]
) -> None:
    """Fill the part; go on after every cut that brought something, and a few times after those that did not."""
    left = list(pauses)
    while True:
        before = size_of(part)
        try:
            return receive(goal, part, progress, opener, timeout)
        except urllib.error.HTTPError as why:
            reason = f"the server answers {why.code} {why.reason}".rstrip()
            why.close()
            if why.code == 416:  # the part is longer than the file: it is of something else
                forget(part)
            elif why.code not in PASSING:
                raise WeightsError(f"{goal.path.name} cannot be fetched: {reason}. {goal.advice}") from why
        except (Cut, urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as why:
            reason = str(getattr(why, "reason", why)) or type(why).__name__
            if size_of(part) > before:
                left = list(pauses)
        if not left:
            raise WeightsError(f"{goal.path.name} cannot be fetched: {reason}. {goal.advice}")
        time.sleep(left.pop(0))


def receive(goal: Goal, part: Path, progress: Progress | None, opener: Opener, timeout: float) -> None:
    """One request: append to the part what it lacks.

    Raises:
        Cut: the server stopped before the end.
        WeightsError: it sends more than the file can have.
    """
    start, tag = size_of(part), tag_of(part)
    headers = {"User-Agent": "svertka", "Accept-Encoding": "identity"}
    if start and tag:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    with opener.open(urllib.request.Request(goal.url, headers=headers), timeout=timeout) as answer:
        if answer.status != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        if answer.status == 206 and not start:
            raise Cut("the server sends another part than was asked")
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if total is not None and total > goal.largest:
            forget(part)
            raise WeightsError(f"{goal.url} has {total} bytes, and {goal.path.name} cannot have so many.")
        remember_tag(part, answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with part.open("ab" if start else "wb") as out:
            done = start
            while piece := answer.read(CHUNK):
                done += out.write(piece)
                if done > goal.largest:
                    break
                if progress:
                    progress(done, total)
    if done > goal.largest:
        forget(part)
        raise WeightsError(f"{goal.url} sends more than {goal.path.name} can have, {goal.largest} bytes.")
    if total is not None and done < total:
        raise Cut(f"the connection ended after {done} of {total} bytes")


@contextlib.contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """The unfinished file beside `path`, ours alone: who comes while it is taken gets one under another name."""
    part, own = path.with_name(path.name + ".part"), path.with_name(f"{path.name}.{os.getpid()}.part")
    with contextlib.ExitStack() as stack:
        try:
            import fcntl

            lock = stack.enter_context(path.with_name(path.name + ".lock").open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (ImportError, BlockingIOError):
            stack.callback(forget, own)
            yield own
        else:
            yield part
            Path(lock.name).unlink(missing_ok=True)


def tag_file(part: Path) -> Path:
    """Where the server's mark of a part's content stands."""
    return part.with_name(part.name + ".tag")


def tag_of(part: Path) -> str:
    """The server's mark of the content that a part is of; a weak one proves nothing and counts as none."""
    tag = tag_file(part).read_text("latin-1") if tag_file(part).is_file() else ""
    return "" if tag.startswith("W/") else tag


def remember_tag(part: Path, tag: str) -> None:
    """Keep the server's mark for the next try."""
    tag_file(part).write_text(tag, "latin-1")


def forget(part: Path) -> None:
    """Remove a part and its mark."""
    part.unlink(missing_ok=True)
    tag_file(part).unlink(missing_ok=True)


def size_of(part: Path) -> int:
    """Bytes that have arrived."""
    return part.stat().st_size if part.is_file() else 0


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

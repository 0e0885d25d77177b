"""What the process owes its shell: streams that bear closed, full and narrow ends, and an end that SIGTERM asks for."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import BinaryIO, TextIO, cast

from svertka.errors import SvertkaError

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # exit statuses


class Terminated(BaseException):
    """SIGTERM came; like KeyboardInterrupt, it passes by whoever handles errors."""


class _Output(io.TextIOWrapper):
    """Standard output; a person hears where it cannot be written, as on a full disk."""

    def write(self, text: str, /) -> int:
        with _in_words():
            return super().write(text)

    def flush(self) -> None:
        with _in_words():
            super().flush()


class _Messages(io.TextIOWrapper):
    """Standard error, which ends no work: where it cannot be written, there is nobody left to tell."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has gone, as in `svertka ... | head`
        raise
    except OSError as why:
        raise SvertkaError(f"Standard output cannot be written: {(why.strerror or str(why)).lower()}.") from why


def prepare() -> None:
    """Open what the shell closed, bear what cannot be written, and let SIGTERM unwind as Ctrl-C does."""
    _fill_closed()
    sys.stdout, sys.stderr = _wrapped(_Output, sys.stdout, 1), _wrapped(_Messages, sys.stderr, 2)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _fill_closed() -> None:
    """Else a file of the run would get the number of standard output, and be written into by whoever prints."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _wrapped(kind: type[_Output | _Messages], stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return kind(cast(BinaryIO, open(number, "wb", closefd=False)), "utf-8", line_buffering=True)
    if not isinstance(stream, io.TextIOWrapper):  # a test's or an editor's own
        return stream
    return kind(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends at once
    raise Terminated

"""A run is a folder: what was asked, what happened, what came out. It is made once and never overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from svertka.cache.locks import Lock, hold
from svertka.common.atomic_write import write_bytes
from svertka.common.messages import storable
from svertka.errors import RunError, TrainingError, UsageError
from svertka.records import encoded, readable
from svertka.runs import layout
from svertka.runs.files import as_record, log_lines, read_recipe, renewed
from svertka.runs.records import LogRecord

PLACED = ("step", "epoch", "climb", "note", "rung")  # kinds of records that say where in the training they belong
Reader = Callable[[Mapping[str, Any]], None]  # of records, as log.jsonl holds them


class Run:
    """A run folder; the layout is in docs/architecture.md."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.readers: list[Reader] = []

    @classmethod
    def create(cls, out: str | Path | None, name: str) -> Run:
        """A new, empty run folder: `out`, or runs/NAME-1, -2, ... in the current folder.

        Raises:
            UsageError: `out` is there already and is not an empty folder.
            TrainingError: the folder cannot be made.
        """
        try:
            if out is None:
                return cls(_numbered(Path("runs"), name))
            path = Path(out)
            if path.exists() and not (path.is_dir() and not any(path.iterdir())):
                raise UsageError(f"{path} exists already and is never overwritten; name another folder with --out.")
            path.mkdir(parents=True, exist_ok=True)
        except OSError as why:
            raise TrainingError(f"The run folder cannot be made: {_reason(why)}; name another with --out.") from why
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run folder.

        Raises:
            RunError: there is none at `path`, or a newer svertka wrote it.
        """
        if not (Path(path) / layout.RECIPE).is_file():
            raise RunError(f"{path} is not a run folder: it holds no recipe.json.")
        read_recipe(Path(path))
        return cls(Path(path))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Only this process trains the run; the system lets go of it when the process ends, however it does.

        Raises:
            RunError: another process does.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # a disk without locks, as some networks have: nobody is kept away
                lock = hold(self.path / layout.LOCK)
                if lock is None:
                    raise RunError(
                        f"{self.path} is being trained by another process: stop it first, or wait for its end."
                    )
                stack.callback(_let_go, lock)
            yield

    def discard(self) -> None:
        """Take a new run folder away again, from which nothing could be resumed; one with anything not ours stays."""
        if (self.path / layout.RECIPE).exists():
            return
        for name in layout.BEFORE_RECIPE:
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write one JSON file of the run, whole or not at all."""
        text = readable(storable(content))
        try:
            write_bytes(self.path / name, encoded(text + "\n"))
        except OSError as why:
            raise TrainingError(f"{self.path / name} cannot be written: {_reason(why)}.") from why

    def read(self, name: str) -> dict[str, Any]:
        """One JSON file of the run, in today's names.

        Raises:
            RunError: it is missing or damaged.
        """
        return renewed(self.path / name)

    def rewind(self, step: int, per_epoch: int, rung: str | None = None) -> None:
        """Take out of log.jsonl what lies beyond a step: a run that was killed learned it, but it is lost.

        With `rung`, of what that rung of the ladder learned.
        """
        kinds = ("step", "epoch") if rung is None else ("climb",)

        def beyond(record: LogRecord) -> bool:
            at = record.epoch * per_epoch if record.step is None else record.step
            return record.kind in kinds and record.rung == rung and at > step

        self.strike(beyond)

    def strike(self, gone: Callable[[LogRecord], bool]) -> None:
        """Take the records out of log.jsonl of which `gone` is true."""
        path = self.path / layout.LOG
        try:
            kept = [f"{line}\n" for line, record in self._lines() if not gone(record)]
            write_bytes(path, "".join(kept).encode())
        except OSError as why:
            raise TrainingError(f"{path} cannot be written: {_reason(why)}.") from why

    def notes(self) -> list[str]:
        """The sentences that were logged so far, in order."""
        found: list[str] = []
        for _, record in self._lines():
            if record.kind == "note" and record.text not in found:
                found.append(record.text)
        return found

    def _lines(self) -> Iterator[tuple[str, LogRecord]]:
        """The lines of log.jsonl with their records; but for one that a killed process or a full disk has cut."""
        path = self.path / layout.LOG
        for number, (line, content) in enumerate(log_lines(path) if path.exists() else (), 1):
            if content is not None:
                placed = content if content.get("kind") in PLACED else {"kind": str(content.get("kind"))}
                yield line, as_record(placed, LogRecord, f"{path}, line {number},")

    def log(self, record: dict[str, Any]) -> None:
        """Append one record to log.jsonl, and hand it to those who read along."""
        record = {**record, "time": round(time.time(), 3)}
        try:
            with open(self.path / layout.LOG, "ab", opener=_through_no_link) as file:
                file.write(encoded(json.dumps(storable(record), ensure_ascii=False) + "\n"))
        except OSError as why:
            raise TrainingError(f"{self.path / 'log.jsonl'} cannot be written: {_reason(why)}.") from why
        for reader in self.readers:
            reader(record)

    @contextlib.contextmanager
    def read_along(self, readers: Iterable[Reader]) -> Iterator[None]:
        """Call each of these with every record from here on; those that have a `close` are closed at the end."""
        self.readers = list(readers)
        try:
            yield
        finally:
            readers, self.readers = self.readers, []
            for reader in readers:
                getattr(reader, "close", lambda: None)()


def _through_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _let_go(lock: Lock) -> None:
    with contextlib.suppress(OSError):  # Windows removes no file that is open: it stays, and hinders nobody
        lock.path.unlink(missing_ok=True)
    lock.close()


def _numbered(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = name.lstrip(".") or "run"  # a name that begins with a dot is one that no listing shows
    for number in range(1, 1_000_000):
        path = folder / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue  # another run has it, perhaps one that started this moment
        return path
    raise TrainingError(f"{folder} holds a million runs called {name}; name a folder with --out.")


def _reason(why: OSError) -> str:
    return f"{(why.strerror or str(why)).lower()}" + (f" ({why.filename})" if why.filename else "")

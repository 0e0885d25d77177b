"""Building a store: worker processes decode, threads of this process hand out work and collect the answers.

`begin_store` returns at once, so that the caller imports torch and builds a network meanwhile. Work is handed
out in chunks to whoever is free. A worker that dies takes nothing with it: its files are tried again one by
one, and a file that kills a second worker is listed as unreadable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from svertka.cache import cache_folder
from svertka.data.messages import RESULT, receive, send
from svertka.data.scratch import Scratch, remove, reserve, sweep, unwritable
from svertka.data.source import Source
from svertka.data.store import Store, map_store, open_store, pixel_shape, store_key, write_facts
from svertka.errors import DataError
from svertka.signals.image import Preprocess

_CHUNK_FILES = (
    256  # of one chunk at most: enough to hide the way there and back, few enough to share out evenly
)
_CHUNK_BYTES = 2**21  # of files
_CHUNK_PIXELS = 2**23  # bytes of pixels
_AHEAD = 2  # chunks that a worker has been given and has not answered
_FEW_FILES, _FEW_BYTES = 256, 2**21  # up to here one worker is done before a second has started

_WORKER = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from svertka.data.decode_worker import main; main()"
)

Progress = Callable[[int, int], None]


class Chunk(NamedTuple):
    """Files `first` to `stop - 1`; a suspect was at work when a worker died."""

    first: int
    stop: int
    suspect: bool = False


def begin_store(
    source: Source, preprocess: Preprocess, cache: Path | None = None, workers: int | None = None
) -> StoreJob:
    """Open the store of a source, or begin to build it; returns at once.

    Args:
        source: the pictures.
        preprocess: how they are brought to one size.
        cache: the folder for stores; the user's cache where None.
        workers: processes that decode; as many as there are processors where None.

    Raises:
        DataError: the cache folder is full or cannot be written.
    """
    return StoreJob(source, preprocess, cache or cache_folder("stores"), workers)


class StoreJob:
    """A store that is being built, or was there already. Use it in a `with`, or call `finish` or `cancel`.

    Attributes:
        done, total: files that have been decoded, and all files.
        fresh: whether it had to be built.
    """

    def __init__(self, source: Source, preprocess: Preprocess, cache: Path, workers: int | None) -> None:
        self.done, self.total = 0, len(source)
        self._source, self._preprocess = source, preprocess
        self._target = cache / store_key(source, preprocess)
        _wait_for_publication(self._target)
        self._store = open_store(self._target, self.total, preprocess)
        self.fresh = self._store is None
        if not self.fresh:
            self.done = self.total
            return
        sweep(cache)
        if self._target.exists():
            remove(self._target)
        self._scratch = Scratch(cache)
        self._workers: list[_Worker] = []
        self._clean = weakref.finalize(self, _clean, self._scratch, self._workers)
        try:
            shape = pixel_shape(self.total, preprocess)
            reserve(self._scratch.path / "pixels.bin", int(np.prod(shape, dtype=np.int64)))
        except BaseException:
            self._clean()
            raise
        self._results = np.zeros(self.total, RESULT)
        self._reasons: dict[int, str] = {}
        self._error: Exception | None = None
        self._changed = threading.Condition()
        count = workers or _worker_count(source)
        self._waiting = deque(_chunks(source, preprocess, count))
        for _ in range(min(count, len(self._waiting))):
            threading.Thread(target=self._tend, daemon=True, name="svertka-decode").start()

    def __enter__(self) -> StoreJob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is None:
            self.cancel()

    def cancel(self) -> None:
        """Stop decoding and leave nothing behind."""
        if self._store is None:
            self._clean()

    def finish(self, progress: Progress | None = None) -> Store:
        """Wait until every file is decoded, and give the store.

        Args:
            progress: called now and then with (done, total), in this thread.

        Raises:
            DataError: the disk is full, the cache was deleted meanwhile, or workers cannot be started.
        """
        if self._store is not None:
            return self._store
        try:
            self._wait(progress)
            self._store = self._completed()
        except BaseException:
            self._clean()
            raise
        return self._store

    def _wait(self, progress: Progress | None) -> None:
        told = -1
        while True:
            with self._changed:
                if self._error is None and self.done < self.total:
                    self._changed.wait(0.1)
                done, error = self.done, self._error
            if error is not None:
                raise error
            if progress is not None and done != told:
                progress(done, self.total)
                told = done
            if done >= self.total:
                return

    def _completed(self) -> Store:
        digests, sizes = self._results["digest"].copy(), self._results["size"].copy()
        folder = self._scratch.path
        try:
            write_facts(folder, self._preprocess, digests, sizes, self._reasons)
        except OSError as why:
            raise DataError(unwritable(folder.parent, why)) from why
        store = map_store(folder, self._preprocess, digests, sizes, self._reasons)
        self._clean.detach()
        _stop(self._workers)
        _publish(self._scratch, self._target)
        return store

    # -- one thread for each worker
    # -------------------------------------------------------------------------------

    def _tend(self) -> None:
        """Keep one worker busy, and replace it when it dies."""
        given: deque[Chunk] = deque()
        try:
            worker = self._start_worker()
            while self._error is None:
                while len(given) < _AHEAD and (chunk := self._next()) is not None:
                    given.append(chunk)
                    worker.ask(self._source, chunk)
                if not given:
                    worker.stop()
                    return
                answer = worker.answer()
                if answer is None:
                    if not self._clean.alive:  # stopped on purpose
                        return
                    self._blame(given, worker)
                    worker = self._start_worker()
                    for chunk in given:
                        worker.ask(self._source, chunk)
                else:
                    self._record(given.popleft(), *answer)
        except Exception as why:  # whatever happens in a thread must reach the one that waits
            with self._changed:
                self._error = self._error or why
                self._changed.notify_all()

    def _start_worker(self) -> _Worker:
        worker = _Worker(self._source, self._preprocess, self._scratch.path / "pixels.bin")
        self._workers.append(worker)
        return worker

    def _next(self) -> Chunk | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _blame(self, given: deque[Chunk], worker: _Worker) -> None:
        """A worker died over the first chunk it had: try its files one by one, or give the one file up."""
        guilty = given.popleft()
        if not guilty.suspect:
            given.extendleft(
                Chunk(i, i + 1, suspect=True) for i in reversed(range(guilty.first, guilty.stop))
            )
            return
        with self._changed:
            self._reasons[guilty.first] = f"the decoder broke down over it ({worker.death()})"
            self.done += 1
            self._changed.notify_all()

    def _record(self, chunk: Chunk, fields: dict[str, Any], blocks: list[bytes]) -> None:
        if "failed" in fields:
            raise DataError(unwritable(self._scratch.path.parent, OSError(0, fields["failed"])))
        self._results[chunk.first : chunk.stop] = np.frombuffer(blocks[0], RESULT)
        with self._changed:
            self._reasons.update((chunk.first + int(k), reason) for k, reason in fields["reasons"].items())
            self.done += chunk.stop - chunk.first
            self._changed.notify_all()


class _Worker:
    """A decode worker as its parent sees it."""

    def __init__(self, source: Source, preprocess: Preprocess, pixels: Path) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        command = [
            sys.executable,
            "-P",
            "-S",
            "-c",
            _WORKER,
            json.dumps([p for p in sys.path if isinstance(p, str)]),
        ]
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=os.environ | single,
        )
        start = {
            "reader": source.reader.kind,
            "where": source.reader.where,
            "preprocess": preprocess.to_dict(),
            "pixels": str(pixels),
        }
        self._send(start)
        if self.answer() is None:
            raise DataError(f"A process that decodes pictures could not be started ({self.death()}).")

    def ask(self, source: Source, chunk: Chunk) -> None:
        """Give it files to decode."""
        paths = source.paths[chunk.first : chunk.stop]
        rows = source.rows[chunk.first : chunk.stop]
        self._send({"first": chunk.first}, paths.blob, paths.ends.tobytes(), rows.tobytes())

    def _send(self, fields: dict[str, Any], *blocks: bytes) -> None:
        try:
            send(self.process.stdin, fields, *blocks)  # type: ignore[arg-type]  # it is a pipe
        except (BrokenPipeError, ValueError):  # dead, or stopped: the answer that does not come tells
            return

    def answer(self) -> tuple[dict[str, Any], list[bytes]] | None:
        """What it says next; None where it is dead."""
        try:
            return receive(self.process.stdout)  # type: ignore[arg-type]  # it is a pipe
        except ValueError:  # stopped meanwhile
            return None

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._complaints):
            try:
                pipe.close()  # type: ignore[union-attr]
            except BrokenPipeError:
                continue

    def death(self) -> str:
        """How it ended, in words."""
        status = self.process.wait()
        if status < 0:
            return f"signal {-status}"
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {status}"


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.stop()


def _clean(scratch: Scratch, workers: list[_Worker]) -> None:
    _stop(workers)
    scratch.discard()


def _worker_count(source: Source) -> int:
    if len(source) <= _FEW_FILES and int(source.sizes.sum()) <= _FEW_BYTES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(source: Source, preprocess: Preprocess, workers: int) -> list[Chunk]:
    n = len(source)
    channels, height, width = preprocess.shape
    files = min(
        _CHUNK_FILES,
        _CHUNK_PIXELS // (channels * height * width),
        int(_CHUNK_BYTES * n / max(1, int(source.sizes.sum()))),
        -(-n // (4 * workers)),
    )
    step = max(1, files)
    return [Chunk(first, min(first + step, n)) for first in range(0, n, step)]


# -- publication
# --------------------------------------------------------------------------------------------------

_publications: dict[Path, threading.Thread] = {}


def _publish(scratch: Scratch, target: Path) -> None:
    """Write the store down for good and move it to its place while the caller goes on to use it."""
    thread = threading.Thread(target=scratch.publish, args=(target,), name="svertka-publish")
    _publications[target] = thread
    thread.start()


def _wait_for_publication(target: Path) -> None:
    thread = _publications.pop(target, None)
    if thread is not None:
        thread.join()

"""Building a store: worker processes decode, threads of this process hand out work and collect the answers.

`begin_store` returns at once, so that the caller imports torch and builds a network meanwhile. Work is handed
out in chunks to whoever is free. A worker that dies takes nothing with it: its files are tried again one by
one, and a file that kills a second worker is listed as unreadable.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from svertka.cache import cache_folder
from svertka.data.messages import RESULT
from svertka.data.scratch import Scratch, remove, reserve, sweep, unwritable
from svertka.data.source import Source
from svertka.data.store import Store, map_store, open_store, pixel_shape, store_key, write_facts
from svertka.data.workers import Chunk, Worker
from svertka.errors import DataError
from svertka.signals.image import Preprocess

# One chunk at most: enough to hide the way there and back, little enough to be shared out evenly.
_CHUNK_FILES, _CHUNK_BYTES, _CHUNK_PIXELS = 256, 2**21, 2**23
_AHEAD = 2  # chunks that a worker has been given and has not answered
_FEW_FILES, _FEW_BYTES = 256, 2**21  # up to here one worker is done before a second has started

Progress = Callable[[int, int], None]


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
        if self.fresh:
            self._begin(cache, workers or _worker_count(source))
        else:
            self.done = self.total

    def _begin(self, cache: Path, count: int) -> None:
        sweep(cache)
        if self._target.exists():
            remove(self._target)  # it is damaged
        self._scratch = Scratch(cache)
        self._workers: list[Worker] = []
        self._clean = weakref.finalize(self, _clean, self._scratch, self._workers)
        self._pixels = self._scratch.path / "pixels.bin"
        try:
            reserve(self._pixels, int(np.prod(pixel_shape(self.total, self._preprocess), dtype=np.int64)))
        except BaseException:
            self._clean()
            raise
        self._results = np.zeros(self.total, RESULT)
        self._reasons: dict[int, str] = {}
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._waiting = deque(_chunks(self._source, self._preprocess, count))
        for _ in range(min(count, len(self._waiting))):
            threading.Thread(target=self._tend, daemon=True, name="svertka-decode").start()

    def __enter__(self) -> StoreJob:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Stop decoding and leave nothing behind; a store that is finished stays."""
        if self._store is None:
            self._clean()

    def finish(self, progress: Progress | None = None) -> Store:
        """Wait until every file is decoded, and give the store.

        Args:
            progress: called now and then with (done, total), in this thread.

        Raises:
            DataError: the disk is full, the cache was deleted meanwhile, or workers cannot be started.
        """
        if self._store is None:
            try:
                self._wait(progress)
                self._store = self._completed()
            except BaseException:
                self._clean()
                raise
        return self._store

    def _wait(self, progress: Progress | None) -> None:
        told = -1
        while told < self.total:
            with self._changed:
                if self._error is None and self.done < self.total:
                    self._changed.wait(0.1)
                done, error = self.done, self._error
            if error is not None:
                raise error
            if not self._clean.alive:
                raise DataError("The pictures are not decoded: the work was cancelled.")
            if progress is not None and done != told:
                progress(done, self.total)
            told = done

    def _completed(self) -> Store:
        digests, sizes, facts = (self._results[name].copy() for name in ("digest", "size", "facts"))
        folder = self._scratch.path
        try:
            write_facts(folder, self._preprocess, digests, sizes, self._reasons, facts)
        except OSError as why:
            raise DataError(unwritable(folder.parent, str(why.strerror))) from why
        store = map_store(folder, self._preprocess, digests, sizes, self._reasons, facts)
        self._clean.detach()
        _stop(self._workers)
        _publish(self._scratch, self._target)
        return store

    # One thread for each worker runs what follows.

    def _tend(self) -> None:
        """Keep one worker busy, and replace it when it dies."""
        given: deque[Chunk] = deque()
        try:
            worker = self._start(given)
            while self._error is None and self._clean.alive:
                while len(given) < _AHEAD and (chunk := self._next()) is not None:
                    given.append(chunk)
                    worker.ask(self._source, chunk)
                if not given:
                    break
                answer = worker.answer()
                if answer is not None:
                    self._record(given.popleft(), *answer)
                elif self._clean.alive:  # else it was stopped on purpose
                    self._blame(given, worker)
                    worker = self._start(given)
            worker.stop()
        except Exception as why:  # whatever happens in a thread must reach the one that waits
            with self._changed:
                self._error = self._error or why
                self._changed.notify_all()

    def _start(self, given: deque[Chunk]) -> Worker:
        worker = Worker(self._source, self._preprocess, self._pixels)
        self._workers.append(worker)
        for chunk in given:
            worker.ask(self._source, chunk)
        return worker

    def _next(self) -> Chunk | None:
        with contextlib.suppress(IndexError):
            return self._waiting.popleft()
        return None

    def _record(self, chunk: Chunk, results: np.ndarray, reasons: dict[int, str]) -> None:
        self._results[chunk.first : chunk.stop] = results
        self._count({chunk.first + k: why for k, why in reasons.items()}, chunk.stop - chunk.first)

    def _blame(self, given: deque[Chunk], worker: Worker) -> None:
        """A worker died over the first chunk it had: try its files one by one, or give the one file up."""
        guilty = given.popleft()
        if guilty.suspect:
            self._count({guilty.first: worker.verdict()}, 1)
        else:
            files = range(guilty.first, guilty.stop)
            given.extendleft(Chunk(i, i + 1, suspect=True) for i in reversed(files))

    def _count(self, reasons: dict[int, str], files: int) -> None:
        with self._changed:
            self._reasons.update(reasons)
            self.done += files
            self._changed.notify_all()


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()


def _clean(scratch: Scratch, workers: list[Worker]) -> None:
    _stop(workers)
    scratch.discard()


def _worker_count(source: Source) -> int:
    if len(source) <= _FEW_FILES and int(source.sizes.sum()) <= _FEW_BYTES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(source: Source, preprocess: Preprocess, workers: int) -> list[Chunk]:
    n = len(source)
    channels, height, width = preprocess.shape
    by_bytes = _CHUNK_BYTES * n // max(1, int(source.sizes.sum()))
    by_pixels = _CHUNK_PIXELS // (channels * height * width)
    by_share = -(-n // (4 * workers))
    step = max(1, min(_CHUNK_FILES, by_bytes, by_pixels, by_share))
    return [Chunk(first, min(first + step, n)) for first in range(0, n, step)]


_publications: dict[Path, threading.Thread] = {}


def _publish(scratch: Scratch, target: Path) -> None:
    """Make the store last and move it to its place, while the caller goes on to use it."""

    previous = _publications.get(target)

    def work() -> None:
        if previous is not None:
            previous.join()
        try:
            scratch.publish(target)
        except OSError:  # the cache was deleted, or the disk failed: the caller has its store, the next run builds anew
            scratch.discard()

    thread = threading.Thread(target=work, name="svertka-publish")
    _publications[target] = thread
    thread.start()


def _wait_for_publication(target: Path) -> None:
    thread = _publications.pop(target, None)
    if thread is not None:
        thread.join()

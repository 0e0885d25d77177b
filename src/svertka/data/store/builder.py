"""Building a store: worker processes decode, threads of this process hand out work and collect the answers.

`begin_store` returns at once, so that the caller imports torch and builds a network meanwhile. Work is handed
out in chunks to whoever is free. A worker that dies takes nothing with it: its files are tried again one by
one, and a file that kills a second worker is listed as unreadable.

Of two processes that begin the same store one builds it, and the other waits and uses it; where the builder dies, the
one that waits builds. Which of them builds, a lock decides that ends with its process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from svertka.cache.folders import cache_folder
from svertka.cache.locks import Lock, Scratch, hold, remove, reserve, sweep, unwritable
from svertka.cache.quota import make_room, room, too_little_room, undisturbed
from svertka.data.sources.source import Source
from svertka.data.store.compressed_pixels import Packed
from svertka.data.store.store import Store, column_file, map_store, open_store, sample_bytes, seal, store_key
from svertka.data.store.worker_process import Chunk, Worker
from svertka.errors import DataError
from svertka.kinds import kind
from svertka.kinds.base import Preprocess

# One chunk at most: enough to hide the way there and back, little enough to be shared out evenly.
_CHUNK_FILES, _CHUNK_BYTES, _CHUNK_PIXELS = 256, 2**21, 2**23
_AHEAD = 2  # chunks that a worker has been given and has not answered
_PATIENCE = 0.05  # seconds between two looks at whether another process has finished
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
        self._source, self._preprocess, self._cache = source, preprocess, cache
        self._target = cache / store_key(source, preprocess)
        self._count = workers or _worker_count(source)
        self._turn: Lock | None = None
        self._begun = False
        _wait_for_publication(self._target)
        self._store = open_store(self._target, self.total, preprocess)
        self.fresh = self._store is None
        if not self._take_turn():
            self.fresh = False  # another process builds it: `finish` waits for that
        elif self._store is None:
            self._begin()

    def _take_turn(self) -> bool:
        """Whether this job has its store, or is the one to build it."""
        if self._store is not None or self._target in _building:  # this very process: it cannot wait for itself
            self.done = self.total if self._store is not None else 0
            return True
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._turn = hold(self._cache / f".{self._target.name}.building")
        except OSError as why:
            raise DataError(unwritable(self._cache, str(why.strerror))) from why
        if self._turn is None:
            return False
        self._store = open_store(self._target, self.total, self._preprocess)  # it may have come just now
        if self._store is not None:
            self.done, self.fresh = self.total, False
            _end_turn(self._turn)
        return True

    def _begin(self) -> None:
        cache = self._cache
        sweep(cache)
        if self._target.exists():
            remove(self._target)  # it is damaged
        _building.add(self._target)
        self._workers: list[Worker] = []
        try:
            self._scratch = Scratch(cache)
        except BaseException:
            _building.discard(self._target)
            _end_turn(self._turn)
            raise
        self._clean = weakref.finalize(self, _clean, self._scratch, self._workers, self._target, self._turn)
        self._pixels = self._scratch.path / "pixels.bin"
        try:
            with undisturbed(cache):  # what is free now is still free when it is taken
                self._reserve()
        except BaseException:
            self._clean()
            raise
        self._begun = True
        self._reasons: dict[int, str] = {}
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._waiting = deque(_chunks(self._source, self._preprocess, self._count))
        for _ in range(min(self._count, len(self._waiting))):
            threading.Thread(target=self._tend, daemon=True, name="svertka-decode").start()

    def _reserve(self) -> None:
        """Choose between pixels and JPEGs by what fits, and make room for them."""
        self._columns = column_file(self._scratch.path, self.total, self._preprocess)
        each, columns = sample_bytes(self._preprocess), self._columns.nbytes
        packer = kind(self._preprocess.kind).packer(self._preprocess)
        whole = self.total * each + columns
        small = whole if packer is None else self.total * packer.packed_size(each) + columns
        self._room = room(self._cache)
        self._packed = whole > self._room and small < whole
        needed = small if self._packed else whole
        if needed > self._room:
            raise DataError(too_little_room(self._cache, needed, self._room))
        make_room(self._cache, needed)
        reserve(self._columns.path, columns)
        reserve(self._pixels, 0 if self._packed else self.total * each)
        self._end = 0  # of the JPEGs written so far

    def __enter__(self) -> StoreJob:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Stop decoding and leave nothing behind; a store that is finished stays."""
        if self._store is None and self._begun:
            self._clean()

    def settle(self) -> None:
        """Wait until a store that is finished lies where other processes find it."""
        _wait_for_publication(self._target)

    def finish(self, progress: Progress | None = None) -> Store:
        """Wait until every file is decoded, and give the store.

        Args:
            progress: called now and then with (done, total), in this thread.

        Raises:
            DataError: the disk is full, the cache was deleted meanwhile, or workers cannot be started.
        """
        while self._store is None and not self._begun:
            time.sleep(_PATIENCE)
            if self._take_turn() and self._store is None:
                self.fresh = True
                self._begin()
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
        folder = self._scratch.path
        try:
            seal(folder, self._preprocess, self.total, self._packed, self._reasons)
            columns = self._columns.mapped()
        except OSError as why:
            raise DataError(unwritable(folder.parent, str(why.strerror))) from why
        lock, packed = self._scratch.lock, self._packed
        store = map_store(folder, self._preprocess, columns, packed, self._reasons, lock, self._target)
        if isinstance(store.pixels, Packed):
            store.pixels.filename = str(self._target / self._pixels.name)  # where it will be for other processes
        self._clean.detach()
        _stop(self._workers)
        _publish(self._scratch, self._target, self._turn)
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
        worker = Worker(self._source, self._preprocess, self._pixels, self._packed)
        self._workers.append(worker)
        for chunk in given:
            worker.ask(self._source, chunk)
        return worker

    def _next(self) -> Chunk | None:
        with contextlib.suppress(IndexError):
            return self._waiting.popleft()
        return None

    def _record(self, chunk: Chunk, results: np.ndarray, reasons: dict[int, str], packed: bytes) -> None:
        rows = {name: results[name] for name in results.dtype.names or ()}
        if self._packed:
            rows["start"] = self._append(packed) + np.cumsum(results["length"], dtype=np.int64) - results["length"]
        try:
            self._columns.write(chunk.first, rows)
        except OSError as why:
            raise DataError(unwritable(self._cache, str(why.strerror))) from why
        self._report({chunk.first + k: why for k, why in reasons.items()}, chunk.stop - chunk.first)

    def _append(self, packed: bytes) -> int:
        """Write JPEGs behind those that are there; gives where they begin."""
        with self._changed:
            start, self._end = self._end, self._end + len(packed)
            if self._end + self._columns.nbytes > self._room:
                raise DataError(too_little_room(self._cache, self._end * self.total // max(1, self.done), self._room))
            try:
                with self._pixels.open("r+b") as file:
                    file.seek(start)
                    file.write(packed)
            except OSError as why:
                raise DataError(unwritable(self._cache, str(why.strerror))) from why
        return start

    def _blame(self, given: deque[Chunk], worker: Worker) -> None:
        """A worker died over the first chunk it had: try its files one by one, or give the one file up."""
        guilty = given.popleft()
        if guilty.suspect:
            self._report({guilty.first: worker.verdict()}, 1)
        else:
            files = range(guilty.first, guilty.stop)
            given.extendleft(Chunk(i, i + 1, suspect=True) for i in reversed(files))

    def _report(self, reasons: dict[int, str], files: int) -> None:
        with self._changed:
            self._reasons.update(reasons)
            self.done += files
            self._changed.notify_all()


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()


def _clean(scratch: Scratch, workers: list[Worker], target: Path, turn: Lock | None) -> None:
    _stop(workers)
    scratch.discard()
    _building.discard(target)
    _end_turn(turn)


def _end_turn(turn: Lock | None) -> None:
    """Let the next one build; the file goes with its lock still held, so that nobody holds a file that is gone."""
    if turn is not None:
        turn.path.unlink(missing_ok=True)
        turn.close()


def _worker_count(source: Source) -> int:
    if len(source) <= _FEW_FILES and int(source.sizes.sum()) <= _FEW_BYTES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(source: Source, preprocess: Preprocess, workers: int) -> list[Chunk]:
    n = len(source)
    by_bytes = _CHUNK_BYTES * n // max(1, int(source.sizes.sum()))
    by_pixels = _CHUNK_PIXELS // sample_bytes(preprocess)
    by_share = -(-n // (4 * workers))
    step = max(1, min(_CHUNK_FILES, by_bytes, by_pixels, by_share))
    return [Chunk(first, min(first + step, n)) for first in range(0, n, step)]


_publications: dict[Path, threading.Thread] = {}
_building: set[Path] = set()  # what this process is busy with


def _publish(scratch: Scratch, target: Path, turn: Lock | None) -> None:
    """Make the store last and move it to its place, while the caller goes on to use it."""

    previous = _publications.get(target)

    def work() -> None:
        if previous is not None:
            previous.join()
        try:
            scratch.publish(target)
        except OSError:  # the cache was deleted, or the disk failed: the caller has its store, the next run builds anew
            scratch.discard()
        finally:
            _building.discard(target)
            _end_turn(turn)

    thread = threading.Thread(target=work, name="svertka-publish")
    _publications[target] = thread
    thread.start()


def _wait_for_publication(target: Path) -> None:
    thread = _publications.pop(target, None)
    if thread is not None:
        thread.join()

"""A decode worker as its parent sees it: a process that is given chunks of files and answers each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from svertka.data.sources.source import Source
from svertka.data.store.worker_protocol import PATIENCE, receive, result_of, send
from svertka.errors import DataError
from svertka.kinds import kind
from svertka.kinds.base import Preprocess

# The worker finds what its parent finds, and nothing else: no site, no current folder.
_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from svertka.data.store.decode_worker import main; main()"
)
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc: what one picture frees, the next one finds; given back to the system and cleared again it costs as much as
    # decoding does (bytes, the most that is kept and the least that is mapped alone)
    "MALLOC_TRIM_THRESHOLD_": str(2**26),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}


class Chunk(NamedTuple):
    """Files `first` to `stop - 1`; a suspect was being decoded when a worker died."""

    first: int
    stop: int
    suspect: bool = False


class Worker:
    """One process; it ends when it is stopped, or when its parent does."""

    def __init__(self, source: Source, preprocess: Preprocess, pixels: Path, packed: bool = False) -> None:
        """Start it, to fill `pixels` (or to answer with `packed` ones), and wait until it is ready.

        Raises:
            DataError: it cannot start.
        """
        self._stopping = threading.Lock()
        path = json.dumps([place for place in sys.path if isinstance(place, str)])
        try:
            with contextlib.ExitStack() as opened:
                self._complaints = opened.enter_context(tempfile.TemporaryFile())
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-S", "-c", _PROGRAM, path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._complaints,
                    env=os.environ | _ENVIRONMENT,
                )
                opened.pop_all()  # `stop` closes it
        except OSError as why:  # no folder for temporary files, too many processes, no memory for another
            raise DataError(f"A process that decodes pictures cannot be started ({why.strerror or why}).") from why
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._result = result_of(kind(preprocess.kind))
        reader = source.reader
        start = {"reader": reader.kind, "where": reader.where, "pixels": str(pixels), "packed": packed}
        self._send({**start, "kind": preprocess.kind, "preprocess": preprocess.to_dict()})
        try:
            if self._receive() is None:
                raise DataError(f"A process that decodes pictures cannot be started ({self._death()}).")
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, source: Source, chunk: Chunk) -> None:
        """Give it files to decode; it answers in the order in which it is asked."""
        paths, rows = source.paths[chunk.first : chunk.stop], source.rows[chunk.first : chunk.stop]
        self._send({"first": chunk.first}, paths.blob, paths.ends.tobytes(), rows.tobytes())

    def answer(self) -> tuple[np.ndarray, dict[int, str], bytes] | None:
        """`result_of` (k,) of a chunk, why which of its files is unreadable, and its packed pictures behind each other.

        None where the process died.

        Raises:
            DataError: it cannot go on, and says why.
        """
        message = self._receive()
        if message is None:
            return None
        fields, blocks = message
        reasons = {int(k): why for k, why in fields["reasons"].items()}
        return np.frombuffer(blocks[0], self._result), reasons, blocks[1] if len(blocks) > 1 else b""

    def verdict(self) -> str:
        """Why the file is unreadable over which it died."""
        death = self._death()
        if hasattr(signal, "SIGALRM") and death == f"signal {signal.SIGALRM:d}":
            return f"decoding it takes longer than {PATIENCE} seconds"
        return f"the decoder breaks down over it ({death})"

    def stop(self) -> None:
        """End it; any thread may, more than once."""
        with self._stopping:
            self._process.kill()
            self._process.wait()
            for pipe in (self._requests, self._answers, self._complaints):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _send(self, fields: dict[str, Any], *blocks: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # dead or stopped: no answer will come, and tells
            send(self._requests, fields, *blocks)

    def _receive(self) -> tuple[dict[str, Any], list[bytes]] | None:
        try:
            message = receive(self._answers)
        except ValueError:  # stopped meanwhile
            return None
        if message is not None and "mistake" in message[0]:
            raise RuntimeError(f"A decode worker failed:\n{message[0]['mistake']}")
        if message is not None and "failed" in message[0]:
            raise DataError(message[0]["failed"])
        return message

    def _death(self) -> str:
        """How it ended, in words."""
        status = self._process.wait()
        if status < 0:
            return f"signal {-status}"
        with self._stopping:
            if self._complaints.closed:
                return f"exit status {status}"
            self._complaints.seek(0)
            lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {status}"

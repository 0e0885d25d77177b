"""A process that reads, decodes and resizes pictures, and puts the pixels into their place in the store.

It is started as a plain Python program, not by `multiprocessing`: nothing of the caller's program is imported
again, and no thread is ever forked. It imports numpy and the decoder of its kind, never torch.
"""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from svertka.cache.locks import unwritable
from svertka.data.path_array import Paths
from svertka.data.sources.readers import Reader, fetch_all, open_reader
from svertka.data.store.worker_protocol import PATIENCE, receive, result_of, send
from svertka.errors import DataError, ReadError, SvertkaError
from svertka.kinds import kind as kind_by_name
from svertka.kinds.base import Kind, Preprocess


def main() -> None:
    """Serve requests from stdin until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; it closes the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    try:
        _serve(requests, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone
    except SvertkaError as why:
        send(answers, {"failed": str(why)})
    except Exception:  # a mistake of ours: the parent must not take it for a bad file
        send(answers, {"mistake": traceback.format_exc()})
    os._exit(1)


def _listen(pipe: IO[bytes], requests: queue.SimpleQueue[Any]) -> None:
    """Take requests in as they come, so that neither side waits for the other; leave with the parent."""
    while (message := receive(pipe)) is not None:
        requests.put(message)
    os._exit(0)  # whatever is being decoded is of no use to anyone


def _serve(requests: queue.SimpleQueue[Any], answers: IO[bytes]) -> None:
    start, _ = requests.get()
    reader: Reader = open_reader(start["reader"], start["where"])
    kind = kind_by_name(start["kind"])
    preprocess: Preprocess = kind.Preprocess.from_dict(start["preprocess"])
    packer = kind.packer(preprocess) if start["packed"] else None
    room = np.zeros((0, *preprocess.stored), preprocess.dtype)  # of the largest chunk so far: fresh memory costs more
    send(answers, {"ready": True})
    with Path(start["pixels"]).open("r+b", buffering=0) as store, kind.quietly():
        while True:
            fields, (blob, ends, rows) = requests.get()
            paths = Paths(blob, np.frombuffer(ends, np.int64))
            if len(paths) > len(room):
                room = np.zeros((len(paths), *preprocess.stored), preprocess.dtype)
            pixels = room[: len(paths)]
            results, reasons = _decode(reader, kind, preprocess, paths, np.frombuffer(rows, reader.row), pixels)
            if packer is not None:  # the parent puts them behind each other: how long they are is known only now
                packed = [b"" if k in reasons else packer.pack(sample) for k, sample in enumerate(pixels)]
                results["sum"], results["length"] = [zlib.crc32(p) for p in packed], [len(p) for p in packed]
                send(answers, {"reasons": reasons}, results.tobytes(), b"".join(packed))
                continue
            results["sum"] = [zlib.crc32(sample) for sample in pixels]
            try:
                _write(store, fields["first"] * pixels[0].nbytes, pixels)
            except OSError as why:
                raise DataError(unwritable(Path(start["pixels"]).parent.parent, str(why.strerror))) from why
            send(answers, {"reasons": reasons}, results.tobytes())


def _decode(
    reader: Reader, kind: Kind, preprocess: Preprocess, paths: Paths, rows: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, dict[int, str]]:
    """Fill in the samples (k, *stored) of files; what else is told of them, and why which could not be read."""
    results = np.zeros(len(paths), result_of(kind))
    reasons: dict[int, str] = {}
    digests, sizes, told = list[bytes](), list[tuple[int, int]](), list[dict[str, Any]]()
    wound = -np.inf
    for k, (path, data) in enumerate(zip(paths, fetch_all(reader, paths, rows), strict=True)):
        if (now := time.monotonic()) > wound + 1:  # files take microseconds, and so does winding it up
            _alarm(PATIENCE)
            wound = now
        digests.append(bytes(16))
        sizes.append((0, 0))
        told.append({})
        try:
            if isinstance(data, ReadError):
                raise data
            digests[k] = hashlib.blake2b(data, digest_size=16).digest()
            pixels[k], sizes[k] = kind.read_sized(data, preprocess, path)
            told[k] = kind.measure_file(data)
        except ReadError as why:
            reasons[k], pixels[k], sizes[k] = why.reason, 0, (0, 0)
    _alarm(0)
    results["digest"] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)
    results["size"] = sizes
    measured = kind.measure(pixels)
    for name in next(filter(None, told), {}):
        measured[name] = [facts.get(name, 0) for facts in told]
    for name in measured.dtype.names or ():
        results[name] = measured[name]
    return results, reasons


def _write(store: IO[bytes], place: int, pixels: np.ndarray) -> None:
    # written and not mapped: a full disk is then an error here, and not the end of the process
    store.seek(place)
    left = memoryview(pixels.reshape(-1)).cast("B")
    while left:
        left = left[store.write(left) :]


def _alarm(seconds: int) -> None:
    if hasattr(signal, "alarm"):  # its default action ends the process, even inside a decoder that does not return
        signal.alarm(seconds)


if __name__ == "__main__":
    main()

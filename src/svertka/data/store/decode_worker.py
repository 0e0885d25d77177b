"""A process that reads, decodes and resizes pictures, and puts the pixels into their place in the store.

It is started as a plain Python program, not by `multiprocessing`: nothing of the caller's program is imported
again, and no thread is ever forked. It imports numpy, Pillow and simplejpeg, never torch.
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
from svertka.data.store.compressed_pixels import pack
from svertka.data.store.worker_protocol import PATIENCE, RESULT, receive, send
from svertka.errors import DataError, ReadError, SvertkaError
from svertka.kinds.image.limits import quiet_pillow
from svertka.kinds.image.preprocess import Preprocess
from svertka.kinds.image.reader import read_sized
from svertka.kinds.image.statistics import file_facts, picture_facts


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
    preprocess = Preprocess.from_dict(start["preprocess"])
    channels, height, width = preprocess.shape
    room = np.zeros((0, height, width, channels), np.uint8)  # of the largest chunk so far: fresh memory costs more
    send(answers, {"ready": True})
    with Path(start["pixels"]).open("r+b", buffering=0) as store, quiet_pillow:
        while True:
            fields, (blob, ends, rows) = requests.get()
            paths = Paths(blob, np.frombuffer(ends, np.int64))
            if len(paths) > len(room):
                room = np.zeros((len(paths), height, width, channels), np.uint8)
            pixels = room[: len(paths)]
            results, reasons = _decode(reader, preprocess, paths, np.frombuffer(rows, reader.row), pixels)
            if start["packed"]:  # the parent puts them behind each other: how long they are is known only now
                packed = [b"" if k in reasons else pack(picture) for k, picture in enumerate(pixels)]
                results["sum"], results["length"] = [zlib.crc32(p) for p in packed], [len(p) for p in packed]
                send(answers, {"reasons": reasons}, results.tobytes(), b"".join(packed))
                continue
            results["sum"] = [zlib.crc32(picture) for picture in pixels]
            try:
                _write(store, fields["first"] * pixels[0].nbytes, pixels)
            except OSError as why:
                raise DataError(unwritable(Path(start["pixels"]).parent.parent, str(why.strerror))) from why
            send(answers, {"reasons": reasons}, results.tobytes())


def _decode(
    reader: Reader, preprocess: Preprocess, paths: Paths, rows: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, dict[int, str]]:
    """Fill in the pixels (k, h, w, c) of files; what else is told of them, and why which could not be read."""
    results = np.zeros(len(paths), RESULT)
    reasons: dict[int, str] = {}
    nothing = (bytes(16), (0, 0), (0, 0, 0))
    told: list[tuple[bytes, tuple[int, int], tuple[int, int, int]]] = []
    wound = -np.inf
    for k, (path, data) in enumerate(zip(paths, fetch_all(reader, paths, rows), strict=True)):
        if (now := time.monotonic()) > wound + 1:  # files take microseconds, and so does winding it up
            _alarm(PATIENCE)
            wound = now
        try:
            if isinstance(data, ReadError):
                raise data
            digest = hashlib.blake2b(data, digest_size=16).digest()
            told.append((digest, (0, 0), nothing[2]))
            pixels[k], size = read_sized(data, preprocess, path)
            told[k] = digest, size, file_facts(data)
        except ReadError as why:
            reasons[k], pixels[k] = why.reason, 0
            told += [nothing] * (k + 1 - len(told))
    _alarm(0)
    digests, sizes, facts = zip(*told, strict=True)
    results["digest"] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)
    results["size"] = sizes
    measured = picture_facts(pixels)
    for name, column in zip(("format", "quality", "camera"), zip(*facts, strict=True), strict=True):
        measured[name] = column
    for name in measured.dtype.names or ():
        results[name] = measured[name]
    return results, reasons


def _write(store: IO[bytes], place: int, pixels: np.ndarray) -> None:
    # written and not mapped: a full disk is then an error here, and not the end of the process
    store.seek(place)
    left = pixels.reshape(-1).data
    while left:
        left = left[store.write(left) :]


def _alarm(seconds: int) -> None:
    if hasattr(signal, "alarm"):  # its default action ends the process, even inside a decoder that does not return
        signal.alarm(seconds)


if __name__ == "__main__":
    main()

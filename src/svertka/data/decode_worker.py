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
import traceback
from pathlib import Path
from typing import IO, Any

import numpy as np

from svertka.data.columns import Paths
from svertka.data.facts import file_facts, picture_facts
from svertka.data.messages import PATIENCE, RESULT, receive, send
from svertka.data.readers import Reader, open_reader
from svertka.data.scratch import unwritable
from svertka.errors import DataError, ReadError, SvertkaError
from svertka.signals.hostile import quiet_pillow
from svertka.signals.image import Preprocess, read_sized


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
    send(answers, {"ready": True})
    with Path(start["pixels"]).open("r+b", buffering=0) as store, quiet_pillow:
        while True:
            fields, (blob, ends, rows) = requests.get()
            paths = Paths(blob, np.frombuffer(ends, np.int64))
            pixels, results, reasons = _decode(reader, preprocess, paths, np.frombuffer(rows, reader.row))
            try:
                _write(store, fields["first"] * pixels[0].nbytes, pixels)
            except OSError as why:
                raise DataError(unwritable(Path(start["pixels"]).parent.parent, str(why.strerror))) from why
            send(answers, {"reasons": reasons}, results.tobytes())


def _decode(
    reader: Reader, preprocess: Preprocess, paths: Paths, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Pixels (k, h, w, c) of files, digests and sizes, and why which could not be read."""
    channels, height, width = preprocess.shape
    pixels = np.zeros((len(paths), height, width, channels), np.uint8)
    results = np.zeros(len(paths), RESULT)
    reasons: dict[int, str] = {}
    told: list[tuple[int, tuple[int, int, bytes]]] = []
    for k in range(len(paths)):
        path = paths[k]
        _alarm(PATIENCE)
        try:
            data = reader.fetch(path, rows[k])
            digest = hashlib.blake2b(data, digest_size=16).digest()
            results["digest"][k] = np.frombuffer(digest, np.uint8)
            pixels[k], results["size"][k] = read_sized(data, preprocess, path)
            told.append((k, file_facts(data)))
        except ReadError as why:
            reasons[k] = why.reason
    _alarm(0)
    results["facts"] = picture_facts(pixels)
    for k, (kind, quality, camera) in told:
        facts = results["facts"][k]
        facts["format"], facts["quality"], facts["camera"] = kind, quality, camera
    return pixels, results, reasons


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

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
from pathlib import Path
from typing import IO, Any

import numpy as np

from svertka.data.columns import Paths
from svertka.data.messages import RESULT, receive, send
from svertka.data.readers import READERS, Reader
from svertka.errors import ReadError
from svertka.signals.hostile import quiet_pillow
from svertka.signals.image import Preprocess, read_sized


def main() -> None:
    """Serve requests from stdin until it closes."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the process that started us; it closes the pipe
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    answers = sys.stdout.buffer
    start, _ = requests.get()
    reader: Reader = READERS[start["reader"]](start["where"])
    preprocess = Preprocess.from_dict(start["preprocess"])
    send(answers, {"ready": True})
    with Path(start["pixels"]).open("r+b", buffering=0) as store, quiet_pillow:
        while True:
            fields, (blob, ends, rows) = requests.get()
            paths = Paths(blob, np.frombuffer(ends, np.int64))
            _serve(
                reader, preprocess, store, fields["first"], paths, np.frombuffer(rows, reader.row), answers
            )


def _listen(pipe: IO[bytes], requests: queue.SimpleQueue[Any]) -> None:
    """Take requests in as they come, so that neither side waits for the other to read; leave with the parent."""
    while (message := receive(pipe)) is not None:
        requests.put(message)
    os._exit(0)  # the parent has closed the pipe, or is dead: whatever is being decoded is of no use


def _serve(
    reader: Reader,
    preprocess: Preprocess,
    store: IO[bytes],
    first: int,
    paths: Paths,
    rows: np.ndarray,
    answers: IO[bytes],
) -> None:
    """Files from `first` on: pixels into the store; digests, sizes and reasons back to the parent."""
    channels, height, width = preprocess.shape
    pixels = np.zeros((len(paths), height, width, channels), np.uint8)
    results = np.zeros(len(paths), RESULT)
    reasons: dict[int, str] = {}
    for k in range(len(paths)):
        path = paths[k]
        try:
            data = reader.fetch(path, rows[k])
            results["digest"][k] = np.frombuffer(hashlib.blake2b(data, digest_size=16).digest(), np.uint8)
            pixels[k], results["size"][k] = read_sized(data, preprocess, path)
        except ReadError as why:
            reasons[k] = why.reason
    try:
        store.seek(first * pixels[0].nbytes)
        left = memoryview(pixels).cast("B")
        while left:
            left = left[store.write(left) :]
    except OSError as why:
        send(answers, {"failed": f"{why.strerror}"})
        return
    send(answers, {"first": first, "reasons": reasons}, results.tobytes())


if __name__ == "__main__":
    main()

"""Work done ahead: a thread makes the next things while the caller is busy with the last."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(things: Iterator[T], most: int = 2) -> Iterator[T]:
    """The same things in the same order, up to `most` of them made before they are asked for.

    What goes wrong while one is made is raised when its turn comes. The thread ends when the last one has been taken,
    or the caller stops asking.
    """
    made: queue.Queue[tuple[str, Any]] = queue.Queue(most)
    enough = threading.Event()

    def put(what: str, value: Any) -> bool:
        while not enough.is_set():
            try:
                made.put((what, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for thing in things:
                if not put("thing", thing):
                    return
            put("end", None)
        except BaseException as why:  # whatever happens in a thread must reach the one that asks
            put("trouble", why)

    threading.Thread(target=work, daemon=True, name="svertka-ahead").start()
    try:
        while True:
            what, value = made.get()
            if what == "trouble":
                raise value
            if what == "end":
                return
            yield value
    finally:
        enough.set()

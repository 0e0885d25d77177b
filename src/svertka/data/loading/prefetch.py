"""Work done ahead: a thread makes the next things while the caller is busy with the last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def ahead(things: Iterator[T], most: int = 2) -> Iterator[T]:
    """The same things in the same order, up to `most` of them made before they are asked for.

    What goes wrong while one is made is raised when its turn comes. The thread is an executor's, which makes one
    thing at a time: an interpreter that ends waits for that one, where a thread cut off within PyTorch would abort it.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="svertka-ahead")
    made: deque[Future[T | object]] = deque()
    try:
        for _ in range(most):
            made.append(pool.submit(next, things, END))
        while (thing := made.popleft().result()) is not END:
            made.append(pool.submit(next, things, END))
            yield thing  # type: ignore[misc]  # everything but END is a T
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

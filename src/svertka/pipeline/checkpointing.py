"""Being stopped without losing anything: checkpoints as often as they are cheap, and signals that are requests."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from svertka.pipeline.context import Job
from svertka.records import Epoch, LoopRecord
from svertka.runs import layout
from svertka.training import checkpoint
from svertka.training.state import State

SHARE = 0.02  # of the time that checkpoints at ends of epochs may take


class Saver:
    """Checkpoints of one training, as often as they are cheap.

    Args:
        job: the run, and how often.
        state: what is saved.
        folder: where; the run's own where None.

    Attributes:
        seconds: spent on all of them so far.
    """

    def __init__(self, job: Job, state: State, folder: Path | None = None) -> None:
        self.folder, self.state = folder or job.run.path / layout.CHECKPOINT, state
        self.late = 60 * job.recipe.checkpoint
        self.saved, self.cost, self.seconds = time.perf_counter(), 0.0, 0.0

    def due(self, record: LoopRecord) -> bool:
        """Whether to save now: after a pass, where it takes a small part of the time; within one, when it is late."""
        since = time.perf_counter() - self.saved
        return SHARE * since > self.cost if isinstance(record, Epoch) else since > self.late

    def save(self) -> None:
        """Write one now."""
        begun = time.perf_counter()
        checkpoint.save(self.state, self.folder)
        self.saved = time.perf_counter()
        self.cost = self.saved - begun
        self.seconds += self.cost


@contextlib.contextmanager
def asked_to_stop(*, patiently: bool = False) -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set an event that the loop obeys at its next step; a second one stops at once.

    `patiently` lets a second one pass, as torchrun sends one of its own after Ctrl-C.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {}

    def ask(number: int, frame: object) -> None:
        if asked.is_set() and not patiently:
            raise KeyboardInterrupt
        asked.set()

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

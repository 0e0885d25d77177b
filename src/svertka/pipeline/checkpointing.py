"""Being stopped without losing anything: checkpoints as often as they are cheap, and signals that are requests."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from svertka.pipeline.context import Context
from svertka.records import Epoch, LoopRecord
from svertka.runs import layout
from svertka.runs.run_folder import Run
from svertka.training import checkpoint
from svertka.training.state import State

SHARE = 0.02  # of the time that checkpoints at ends of epochs may take


def saved_checkpoint(run: Run) -> Path | None:
    """The folder of a run's checkpoint; None before there is one."""
    folder = run.path / layout.CHECKPOINT
    return folder if (folder / checkpoint.NAME).is_file() else None


class CheckpointWriter:
    """Checkpoints of one training, as often as they are cheap.

    Args:
        context: the run, and how often.
        state: what is saved.
        folder: where; the run's own where None.

    Attributes:
        seconds: spent on all of them so far.
    """

    def __init__(self, context: Context, state: State, folder: Path | None = None) -> None:
        self.folder, self.state = folder or context.run.path / layout.CHECKPOINT, state
        self.late = 60 * context.recipe.checkpoint
        self.saved, self.cost, self.seconds = time.perf_counter(), 0.0, 0.0

    def should_save(self, record: LoopRecord) -> bool:
        """Whether to save now: after a pass, where it takes a small part of the time; within one, when it is late."""
        since = time.perf_counter() - self.saved
        return SHARE * since > self.cost if isinstance(record, Epoch) else since > self.late

    def save(self) -> None:
        """Write one now."""
        start = time.perf_counter()
        checkpoint.save(self.state, self.folder)
        self.saved = time.perf_counter()
        self.cost = self.saved - start
        self.seconds += self.cost


@contextlib.contextmanager
def stop_on_signal(*, patiently: bool = False) -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set an event that the loop obeys at its next step; a second one stops at once.

    `patiently` lets a second one pass, as torchrun sends one of its own after Ctrl-C.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {}

    def request(number: int, frame: object) -> None:
        if stop.is_set() and not patiently:
            raise KeyboardInterrupt
        stop.set()

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, request)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

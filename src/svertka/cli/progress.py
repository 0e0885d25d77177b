"""Progress on stderr: a live bar on a terminal, plain lines elsewhere, nothing when quiet. Never on stdout."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from svertka.evaluation.forward_selection import Trial
    from svertka.records import Epoch, Step

LINES = 5.0  # seconds between two plain lines of one activity


class _Reader(Protocol):
    def __call__(self, what: str, value: Any) -> None: ...


@contextlib.contextmanager
def watching(*, quiet: bool = False) -> Iterator[_Reader]:
    """A watch for the verbs, fitted to where stderr goes."""
    if quiet:
        yield lambda what, value: None
    elif sys.stderr.isatty():
        with _Live() as live:
            yield live
    else:
        yield _Lines()


@contextlib.contextmanager
def downloading(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A progress for one file: (bytes so far, bytes in all or None)."""
    if not sys.stderr.isatty():
        said = [-1]

        def line(done: int, total: int | None) -> None:
            tenth = 10 * done // total if total else done // (1 << 25)
            if tenth > said[0]:
                said[0] = tenth
                of = f" of {total / 2**20:.1f}" if total else ""
                print(f"{name}: {done / 2**20:.1f}{of} MiB", file=sys.stderr, flush=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """One line for each thing worth a line: what a log file should hold."""

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, what: str, value: Any) -> None:
        if what == "note":
            self._say(value)
        elif what == "read" and (value[0] == value[1] or self._due()):
            self._say(f"read {value[0]:,} of {value[1]:,} files")
        elif what == "plan":
            self._say(plan_line(value))
        elif what == "forecast":
            self._say(forecast_line(value))
        elif what == "step" and self._due():
            self._say(f"step {value.step:,} of {value.steps:,}  loss {value.loss:.3f}")
        elif what == "epoch":
            self._say(epoch_line(value))
        elif what == "look" and (value[0] == value[1] or self._due()):
            self._say(f"{value[2]} looked at {value[0]:,} of {value[1]:,} pictures")
        elif what == "explain" and self._due():
            self._say(f"{value[0]:,} of {value[1]:,} explanations")
        elif what == "rung":
            self._say(rung_line(value))
        elif what == "trial":
            self._say(trial_line(value))

    def _due(self) -> bool:
        return time.monotonic() - self.said > LINES

    def _say(self, line: str) -> None:
        self.said = time.monotonic()
        print(line, file=sys.stderr, flush=True)


class _Live:
    """A bar that moves, with the epochs as lines above it."""

    def __enter__(self) -> _Live:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[tail]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self.bar.start()
        self.reading = self.learning = self.looking = None
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def __call__(self, what: str, value: Any) -> None:
        if what == "note":
            self.bar.console.print(value, markup=False, highlight=False, style="yellow")
        elif what == "read":
            self._read(*value)
        elif what == "plan":
            self.bar.console.print(plan_line(value), markup=False, highlight=False, style="dim")
        elif what == "forecast":
            self.bar.console.print(forecast_line(value), markup=False, highlight=False, style="dim")
        elif what == "step":
            self._step(value)
        elif what == "epoch":
            self.bar.console.print(epoch_line(value), markup=False, highlight=False)
        elif what == "look":
            self._look(*value)
        elif what == "explain":
            self._explain(*value)
        elif what == "rung":
            self.bar.console.print(rung_line(value), markup=False, highlight=False)
        elif what == "trial":
            self.bar.console.print(trial_line(value), markup=False, highlight=False)

    def _look(self, done: int, total: int, name: str) -> None:
        if self.looking is None:
            self.looking = self.bar.add_task("looking", total=total, tail="")
        tail = f"{done:,} of {total:,} pictures through {name}"
        self.bar.update(self.looking, completed=done, total=total, tail=tail, visible=done < total)

    def _explain(self, done: int, total: int) -> None:
        if self.looking is None:
            self.looking = self.bar.add_task("explaining", total=total, tail="")
        self.bar.update(self.looking, completed=done, tail=f"{done:,} of {total:,} explanations")

    def _read(self, done: int, total: int) -> None:
        if self.reading is None:
            self.reading = self.bar.add_task("reading", total=total, tail="")
        tail = f"{done:,} of {total:,} files"
        self.bar.update(self.reading, completed=done, total=total, tail=tail, visible=done < total)

    def _step(self, step: Step) -> None:
        if self.learning is None:
            self.learning = self.bar.add_task("learning", total=step.steps, tail="")
        # the clock may change the number of steps on the way, and another training may follow
        self.bar.update(self.learning, completed=step.step, total=step.steps, tail=f"loss {step.loss:.3f}")


def epoch_line(record: Epoch) -> str:
    """One pass in one line."""
    line = f"epoch {record.epoch:>{len(str(record.epochs))}} of {record.epochs}   loss {record.loss:.3f}   "
    line += f"training {record.accuracy:7.2%}"
    if record.validation_accuracy is not None:
        line += f"   validation {record.validation_accuracy:7.2%}{' *' if record.best else '  '}"
    return f"{line}   {record.seconds:6.1f} s"


def rung_line(rung: Any) -> str:
    """One rung of the ladder in one line."""
    a = rung.accuracy
    share = f"validation {a.value:7.2%}" if a else "no validation"
    how = f"{rung.backbone}, {rung.detail}"
    return f"{rung.name}   {share}{' *' if rung.kept else '  '}   {how}   {rung.seconds:6.1f} s"


def trial_line(trial: Trial) -> str:
    """What one augmentation gave, in one line."""
    gain = (100 * share for share in (trial.gain.value, trial.gain.low, trial.gain.high))
    points = "{:+.2f} points ({:+.2f} to {:+.2f})".format(*gain)
    return f"{trial.said:<16} {points}   {trial.verdict}   {trial.seconds:.1f} s"


def plan_line(plan: Any) -> str:
    """What was chosen for this machine, in one line."""
    layout = plan.layout.replace("_", "-")
    threads = f"{plan.threads} thread{'s' if plan.threads != 1 else ''}"
    return f"plan: {plan.device}, {layout}, {plan.precision}, {threads} ({plan.reason})"


def forecast_line(found: Any) -> str:
    """What the run will take, in one line."""
    from svertka.training.monitoring.estimate import spoken_bytes

    memory = f"{spoken_bytes(found.memory)} of memory, " if found.memory else ""
    return f"forecast: {spoken_seconds(found.seconds)} in all, {memory}{spoken_bytes(found.disk)} on disk"


def spoken_seconds(seconds: float) -> str:
    """A time as a person says it.

    >>> spoken_seconds(7.31), spoken_seconds(400), spoken_seconds(9000)
    ('7.3 s', '6.7 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

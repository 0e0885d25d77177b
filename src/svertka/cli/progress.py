"""Progress on stderr: a live bar on a terminal, plain lines elsewhere, nothing when quiet. Never on stdout."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from svertka.records import (
    CorruptionsTried,
    Epoch,
    Event,
    ExplanationsMade,
    FeaturesExtracted,
    FilesDecoded,
    ForecastMade,
    Note,
    PlanChosen,
    Rung,
    Step,
    TrialDone,
    Watch,
    silent,
)

INTERVAL = 5.0  # seconds between two plain lines of one activity


@contextlib.contextmanager
def watching(*, quiet: bool = False) -> Iterator[Watch]:
    """A watch for the verbs, fitted to where stderr goes."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _Live() as live:
            yield live
    else:
        yield _Lines()


@contextlib.contextmanager
def downloading(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A progress for one file: (bytes so far, bytes in all or None)."""
    if not sys.stderr.isatty():
        printed = -1

        def line(done: int, total: int | None) -> None:
            nonlocal printed
            tenth = 10 * done // total if total else done // (1 << 25)
            if tenth > printed:
                printed = tenth
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
        self.printed = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Step():
                shown = self._due()
            case FilesDecoded() | FeaturesExtracted():
                shown = event.done == event.total or self._due()
            case ExplanationsMade() | CorruptionsTried():
                shown = self._due()
            case _:
                shown = True
        if shown:
            self.printed = time.monotonic()
            print(event_line(event), file=sys.stderr, flush=True)

    def _due(self) -> bool:
        return time.monotonic() - self.printed > INTERVAL


class _Live:
    """A bar for each activity, with the other events as lines above them."""

    def __enter__(self) -> _Live:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[tail]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self.bar.start()
        self.tasks: dict[str, TaskID] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Step():  # the clock may change the number of steps on the way, and another training may follow
                self._move("learning", event.step, event.steps, f"loss {event.loss:.3f}", keep=True)
            case FilesDecoded(done, total):
                self._move("reading", done, total, f"{done:,} of {total:,} files")
            case FeaturesExtracted(network, done, total):
                self._move("extracting features", done, total, f"{done:,} of {total:,} pictures through {network}")
            case ExplanationsMade(done, total):
                self._move("explaining", done, total, f"{done:,} of {total:,} explanations")
            case CorruptionsTried(done, total):
                self._move("changing pictures", done, total, f"{done:,} of {total:,} kinds of change")
            case _:
                self.bar.console.print(event_line(event), markup=False, highlight=False, style=_style(event))

    def _move(self, activity: str, done: int, total: int, tail: str, *, keep: bool = False) -> None:
        """Show how far an activity is; one that is over gives its line to the others, but where it is to be kept."""
        if activity not in self.tasks:
            self.tasks[activity] = self.bar.add_task(activity, total=total, tail="")
        shown = keep or done < total
        self.bar.update(self.tasks[activity], completed=done, total=total, tail=tail, visible=shown)


def _style(event: Event) -> str | None:
    if isinstance(event, Note):
        return "yellow"
    return "dim" if isinstance(event, PlanChosen | ForecastMade) else None


def event_line(event: Event) -> str:
    """An event in one line."""
    match event:
        case Note():
            return event.text
        case FilesDecoded(done, total):
            return f"read {done:,} of {total:,} files"
        case FeaturesExtracted(network, done, total):
            return f"{network} looked at {done:,} of {total:,} pictures"
        case ExplanationsMade(done, total):
            return f"{done:,} of {total:,} explanations"
        case CorruptionsTried(done, total):
            return f"tried {done:,} of {total:,} kinds of change"
        case PlanChosen():
            return _plan_line(event)
        case ForecastMade():
            return _forecast_line(event)
        case Step():
            return f"step {event.step:,} of {event.steps:,}  loss {event.loss:.3f}"
        case Epoch():
            return _epoch_line(event)
        case Rung():
            return _rung_line(event)
        case TrialDone():
            return _trial_line(event)


def _epoch_line(record: Epoch) -> str:
    """One pass in one line."""
    line = f"epoch {record.epoch:>{len(str(record.epochs))}} of {record.epochs}   loss {record.loss:.3f}   "
    line += f"training {record.accuracy:7.2%}"
    if record.validation_accuracy is not None:
        line += f"   validation {record.validation_accuracy:7.2%}{' *' if record.best else '  '}"
    return f"{line}   {record.seconds:6.1f} s"


def _rung_line(rung: Rung) -> str:
    """One rung of the ladder in one line."""
    a = rung.accuracy
    share = f"validation {a.value:7.2%}" if a else "no validation"
    how = f"{rung.backbone}, {rung.detail}"
    return f"{rung.name}   {share}{' *' if rung.kept else '  '}   {how}   {rung.seconds:6.1f} s"


def _trial_line(trial: TrialDone) -> str:
    """What one augmentation gave, in one line."""
    points = f"{100 * trial.gain:+.2f} points ({100 * trial.low:+.2f} to {100 * trial.high:+.2f})"
    return f"{trial.setting:<16} {points}   {trial.verdict}   {trial.seconds:.1f} s"


def _plan_line(plan: PlanChosen) -> str:
    """What was chosen for this machine, in one line."""
    layout = plan.layout.replace("_", "-")
    threads = f"{plan.threads} thread{'s' if plan.threads != 1 else ''}"
    return f"plan: {plan.device}, {layout}, {plan.precision}, {threads} ({plan.reason})"


def _forecast_line(forecast: ForecastMade) -> str:
    """What the run will take, in one line."""
    from svertka.training.monitoring.estimate import spoken_bytes

    memory = f"{spoken_bytes(forecast.memory)} of memory, " if forecast.memory else ""
    return f"forecast: {spoken_seconds(forecast.seconds)} in all, {memory}{spoken_bytes(forecast.disk)} on disk"


def spoken_seconds(seconds: float) -> str:
    """A time as a person says it.

    >>> spoken_seconds(7.31), spoken_seconds(400), spoken_seconds(9000)
    ('7.3 s', '6.7 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""What the benchmarks share: whole processes under a stopwatch, equal data, medians, tables.

- A competitor is a command. Its time begins when its process is started and ends when it has shown an
  accuracy, so imports, reading and decoding count for everybody.
- A peer prints one JSON line after each evaluation on the test pictures: {"accuracy": a share of 1,
  "evaluating": seconds}. Seconds that *earlier* evaluations took are subtracted: a point of its curve is
  what a run would have taken that stopped there and evaluated once, as ours does.
- svertka prints one JSON object at the end, and is charged until its process has gone.
"""

from __future__ import annotations

import compileall
import contextlib
import functools
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SVERTKA_DATA", ROOT.parent / "shared")) / "data"


class BenchError(Exception):
    """A competitor or the data failed; the message says which and shows its last words."""


# --- processes ---


@dataclass(frozen=True, slots=True)
class Point:
    """After `seconds` from the start of its process a competitor had this test accuracy (share of 1)."""

    seconds: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Race:
    """One run of a competitor: its curve, the seconds until its process had gone, its last JSON object.

    `stopped` where its time was up.
    """

    points: tuple[Point, ...]
    seconds: float
    last: dict[str, Any]
    stopped: bool = False

    def to(self, target: float) -> float | None:
        """Seconds until the test accuracy was first at least `target`; None where it never was."""
        return next((p.seconds for p in self.points if p.accuracy >= target), None)

    @property
    def seen(self) -> float:
        """Seconds after which it is known how good it was: of its last point, or all of them where it has none."""
        return self.points[-1].seconds if self.points else self.seconds

    @property
    def best(self) -> Point:
        """The first point of the highest accuracy."""
        return max(self.points, key=lambda p: (p.accuracy, -p.seconds))


def environment(**extra: str) -> dict[str, str]:
    """The environment of a competitor: this tree's svertka, compiled as an installed one is, and quiet libraries."""
    _compile()
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**usual, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", **extra}


@functools.cache
def _compile() -> None:  # what pip does when it installs
    compileall.compile_dir(ROOT / "src", quiet=2)


def race_peer(command: Sequence[str], *, limit: float, enough: float, env: dict[str, str]) -> Race:
    """Run a peer until it ends, `limit` seconds have passed, or it has shown an accuracy of `enough`."""
    points: list[Point] = []
    last: dict[str, Any] = {}
    earlier = 0.0  # seconds of evaluations before the present one
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env, start_new_session=True
        )
        alarm = threading.Timer(limit, _stop, [process])
        alarm.start()
        try:
            for line in process.stdout:
                if not line.startswith("{"):
                    continue
                last = json.loads(line)
                points.append(Point(time.perf_counter() - start - earlier, last["accuracy"]))
                earlier += last["evaluating"]
                if last["accuracy"] >= enough:
                    break
        finally:
            alarm.cancel()
            _stop(process)
        seconds = time.perf_counter() - start
        if not points and seconds < limit:
            raise BenchError(_last_words(command, errors))
    return Race(tuple(points), seconds, last, stopped=seconds >= limit)


def race_svertka(*arguments: str, env: dict[str, str]) -> Race:
    """Run `svertka ... --json`; one point, at the end of its process: accuracy on test, else validation."""
    command = [sys.executable, "-m", "svertka", *arguments, "--json"]
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise BenchError(_last_words(command, errors))
    answer = json.loads(done.stdout)
    scored = answer["test"] or answer["validation"]
    return Race((Point(seconds, scored["accuracy"]),), seconds, answer)


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and the workers it started (they share its session)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_words(command: Sequence[str], errors: IO[str]) -> str:
    errors.seek(0)
    return f"{' '.join(command)} failed:\n{tail(errors.read())}"


def tail(text: str, lines: int = 8) -> str:
    """The last lines of what a process wrote."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


# --- data ---


def archive(name: str) -> Path:
    """A data set by name; it is not part of the project (SVERTKA_DATA says where it is)."""
    path = DATA / name
    if not path.is_file():
        raise BenchError(f"There is no {path}; set SVERTKA_DATA to the folder that holds data/{name}.")
    return path


@contextlib.contextmanager
def unpacked(path: Path, limit: int | None = None) -> Iterator[tuple[Path, Path]]:
    """An archive's pictures as a temporary folder and a zip; with `limit`, the first N of each class."""
    with tempfile.TemporaryDirectory(prefix="svertka-bench-") as temporary:
        folder, packed = Path(temporary, "pictures"), path
        with zipfile.ZipFile(path) as source:
            chosen = list(_chosen(source.namelist(), limit))
            source.extractall(folder, members=chosen)
            if limit is not None:
                packed = Path(temporary, path.name)
                with zipfile.ZipFile(packed, "w") as target:
                    for member in chosen:
                        target.writestr(member, source.read(member))
        yield folder, packed


def _chosen(names: Sequence[str], limit: int | None) -> Iterator[str]:
    seen: dict[PurePosixPath, int] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix not in {".png", ".jpg", ".jpeg"}:
            continue
        seen[path.parent] = seen.get(path.parent, 0) + 1
        if limit is None or seen[path.parent] <= limit:
            yield name


# --- numbers and tables ---


def median(values: Sequence[float | None]) -> float | None:
    """The median; None counts as later than everything (a target that was not reached)."""
    found = statistics.median_high(float("inf") if v is None else v for v in values)
    return None if found == float("inf") else found


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        right = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "| " + " | ".join([cells[0].ljust(widths[0]), *right]) + " |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def machine() -> str:
    """This machine in one line, with the load that it was under before the benchmark."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((v.split(":", 1)[1].strip() for v in lines if v.startswith("model name")), model)
    memory = ""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} before the start" if hasattr(os, "getloadavg") else ""
    return f"{model}, {cores} cores{memory}, {platform.system()} {platform.release()}{load}"


def versions(*packages: str) -> str:
    """Python and the packages of this environment, with versions."""
    found = (f"{package} {metadata.version(package)}" for package in packages)
    return ", ".join([f"Python {platform.python_version()}", *found])

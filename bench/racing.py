"""Races of whole processes: who takes part, in turn, and the tables of time to accuracy and of its ratios."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import common
from common import Race

PEERS = Path(__file__).with_name("peers")
KERAS_VENV = Path(os.environ.get("BENCH_KERAS_VENV", Path(__file__).with_name(".venv-keras")))


@dataclass(frozen=True, slots=True)
class Competitor:
    """A row of the table; `race(seed)` runs it once, from the start of its process."""

    name: str
    race: Callable[[int], Race]
    ours: bool = False


@dataclass(slots=True)
class Allowance:
    """Seconds that so many races of peers may take in all: each gets an equal part of what those before it left."""

    seconds: float
    races: int = 1

    @contextlib.contextmanager
    def part(self) -> Iterator[float]:
        """The seconds of the next race, which is run inside."""
        begun = time.perf_counter()
        yield self.seconds / max(1, self.races)
        self.seconds -= time.perf_counter() - begun
        self.races -= 1


# --- who takes part ---


def svertka(data: Path, scratch: Path, *options: str, cache: Path | None = None) -> Callable[[int], Race]:
    """`svertka train DATA`, with an empty cache, or one that an uncounted run has filled."""

    def race(seed: int) -> Race:
        if cache is not None and not cache.exists():
            train(seed, cache)
        return train(seed, cache or Path(tempfile.mkdtemp(dir=scratch)))

    def train(seed: int, cache: Path) -> Race:
        # no options of ours but where the run goes; later rounds change the seed, so that rounds differ
        run = Path(tempfile.mkdtemp(dir=scratch), "run")
        words = [*options, "--out", str(run), *(["--seed", str(seed)] if seed else [])]
        return common.race_svertka("train", str(data), *words, env=common.environment(SVERTKA_CACHE=str(cache)))

    return race


def peer(
    python: str, program: str, folder: Path, *words: str, limit: float | Allowance, enough: float
) -> Callable[[int], Race]:
    """A program of `peers/`, stopped after `limit` seconds or when it has shown an accuracy of `enough`."""

    def race(seed: int) -> Race:
        command = [python, str(PEERS / program), str(folder), "--seed", str(seed), *words]
        with limit.part() if isinstance(limit, Allowance) else contextlib.nullcontext(limit) as seconds:
            return common.race_peer(command, limit=seconds, enough=enough, env=common.environment())

    return race


def keras_python(folder: Path) -> str:
    """The interpreter of the Keras peers' own virtual environment, made on first use and kept."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making {folder} for Keras and TensorFlow (once) ...", file=sys.stderr)
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "tensorflow-cpu", "keras", "pillow"]
        if subprocess.run(install, check=False).returncode:
            raise common.BenchError(f"Keras cannot be installed into {folder}; --only svertka,... goes without.")
    return str(python)


def chosen(everyone: dict[str, Callable[[], Competitor]], only: Sequence[str]) -> list[Competitor]:
    """The competitors that `--only` names (all of them without it)."""
    unknown = set(only) - set(everyone)
    if unknown:
        raise common.BenchError(f"--only knows {', '.join(everyone)}; not {', '.join(sorted(unknown))}.")
    return [make() for name, make in everyone.items() if not only or name in only]


def hold(
    name: str,
    pictures: int | None,
    line_up: Callable[[Path, Path, Path, argparse.Namespace], list[Competitor]],
    options: argparse.Namespace,
    *,
    targets: Sequence[float],
    beside: str,
) -> dict[str, list[Race]]:
    """A whole race, from its data to its tables; returns every run of every competitor.

    Who interrupts it (also by SIGTERM, as `timeout` does) gets the tables of what has been seen by then.

    Args:
        name: of the archive.
        pictures: of each class and part, where not all.
        line_up: who takes part, called with the pictures as a folder and as an archive, a folder for scratch, options.
        options: with `repeat`, and `json` for every point of every curve.
        targets: accuracies in the tables.
        beside: what is known and was not measured.
    """
    print(f"{common.machine()}\n{common.versions('torch', 'numpy', 'pillow')}, {options.repeat} round(s)")
    with (
        tempfile.TemporaryDirectory(prefix="svertka-bench-") as scratch,
        common.unpacked(common.archive(name), pictures) as (folder, packed),
    ):
        competitors = line_up(folder, packed, Path(scratch), options)
        races: dict[str, list[Race]] = {}
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        interrupted = False
        try:
            run(competitors, options.repeat, races)
        except KeyboardInterrupt:
            interrupted = True
    rounds = min((len(runs) for runs in races.values()), default=0)
    races = {name: runs[:rounds] for name, runs in races.items()}
    if not races:
        raise common.BenchError("Nothing has been seen.")
    report([c for c in competitors if c.name in races], races, targets)
    print(beside)
    if options.json:
        curves = {name: [asdict(race) for race in runs] for name, runs in races.items()}
        options.json.write_text(json.dumps(curves, indent=1), encoding="utf-8")
    if interrupted:
        raise common.BenchError("Interrupted: the tables hold what had been seen.")
    return races


def run(
    competitors: Sequence[Competitor], repeat: int, races: dict[str, list[Race]] | None = None
) -> dict[str, list[Race]]:
    """Every competitor `repeat` times, in turn; fills `races`, where given, as it goes."""
    races = {} if races is None else races
    for number in range(repeat):
        for competitor in competitors if number % 2 == 0 else reversed(competitors):
            race = competitor.race(number)
            races.setdefault(competitor.name, []).append(race)
            best = f"{race.best.accuracy:.2%} at {race.best.seconds:.1f} s" if race.points else "nothing shown"
            end = f", stopped after {race.seconds:.0f} s" if race.stopped else ""
            print(f"round {number + 1}: {competitor.name}: {best}{end}", file=sys.stderr)
    return races


# --- what came out ---


def times_table(races: dict[str, list[Race]], targets: Sequence[float]) -> str:
    """Median seconds to each target; a dash where the median run never reached it."""

    def cell(runs: Sequence[Race], target: float) -> str:
        seconds = common.median([race.to(target) for race in runs])
        return "-" if seconds is None else f"{seconds:.1f} s"

    def best(runs: Sequence[Race]) -> str:
        shown = [race.best.accuracy for race in runs if race.points]
        return f"{common.median(shown):.2%}" if shown else "-"

    rows = [[name, *(cell(runs, t) for t in targets), best(runs)] for name, runs in races.items()]
    return common.table(["time to test accuracy", *(f"{t:.1%}" for t in targets), "best seen"], rows)


def ratio(ours: Sequence[Race], theirs: Sequence[Race], target: float) -> str:
    """How many times longer they took (median over rounds); `>` where they had not got there in what was seen."""
    if any(race.to(target) is None for race in ours):
        return "-"
    pairs = [(them.to(target) or them.seen) / us.to(target) for us, them in zip(ours, theirs, strict=True)]
    more = ">" if any(race.to(target) is None for race in theirs) else ""
    return f"{more}{common.median(pairs):.1f}x"


def ratios_table(ours: str, races: dict[str, list[Race]], peers: Sequence[str], targets: Sequence[float]) -> str:
    """Their seconds over ours for each target, and to the accuracy that all rounds of the peer showed."""
    rows = []
    for name in peers:
        best = min((race.best.accuracy if race.points else 0.0) for race in races[name])
        to_best = f"{ratio(races[ours], races[name], best)} ({best:.2%})" if best else "-"
        rows.append([name, *(ratio(races[ours], races[name], t) for t in targets), to_best])
    return common.table([f"{ours}: faster than", *(f"{t:.1%}" for t in targets), "to the peer's best"], rows)


def report(competitors: Sequence[Competitor], races: dict[str, list[Race]], targets: Sequence[float]) -> None:
    """Print what came out: versions of peers in other environments, times, ratios."""
    for name, runs in races.items():
        if runs[-1].last.get("versions"):
            print(f"{name}: {runs[-1].last['versions']}")
    print("\nMedians, seconds from the start of the process. A peer is scored after every pass; only the last of these")
    print(f"scorings is counted at each point, as ours scores once:\n\n{times_table(races, targets)}\n")
    peers = [c.name for c in competitors if not c.ours]
    if stopped := [name for name in peers if any(race.stopped for race in races[name])]:
        print(f"Stopped before the end of their programs: {'; '.join(stopped)}.\n")
    for ours in (c.name for c in competitors if c.ours and peers):
        print(ratios_table(ours, races, peers, targets), end="\n\n")

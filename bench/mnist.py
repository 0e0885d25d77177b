"""Time to accuracy on MNIST, `svertka train` against what a user would pick: `python bench/mnist.py`.

Whole processes, equal data (one PNG a picture, in a temporary folder), one machine, one run; competitors
take turns, in reversed order every other round. svertka begins each round with an empty cache, so that
decoding and measuring the machine count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import common
from common import Race

TARGETS = (0.978, 0.982, 0.990, 0.992)
PEERS = Path(__file__).with_name("peers")
KERAS_VENV = Path(os.environ.get("BENCH_KERAS_VENV", Path(__file__).with_name(".venv-keras")))
# fastai cannot be installed beside a CPU-only PyTorch, see README.md
LITERATURE = "NOT measured here: fastai resnet18, one epoch, 192 s to 99.0 % (published for 2 cores of a cloud CPU)"


@dataclass(frozen=True, slots=True)
class Competitor:
    """A row of the table; `race(seed)` runs it once, from the start of its process."""

    name: str
    race: Callable[[int], Race]
    ours: bool = False


# --- who takes part ---


def svertka(data: Path, scratch: Path, cache: Path | None = None) -> Callable[[int], Race]:
    """`svertka train DATA`, with an empty cache, or one that an uncounted run has filled."""

    def race(seed: int) -> Race:
        if cache is not None and not cache.exists():
            train(seed, cache)
        return train(seed, cache or Path(tempfile.mkdtemp(dir=scratch)))

    def train(seed: int, cache: Path) -> Race:
        # no options but where the run goes; later rounds change the seed, so that rounds differ
        options = [
            "--out",
            str(Path(tempfile.mkdtemp(dir=scratch), "run")),
            *(["--seed", str(seed)] if seed else []),
        ]
        return common.race_svertka("train", str(data), *options, env=common.environment(SVERTKA_CACHE=str(cache)))

    return race


def peer(python: str, program: str, folder: Path, limit: float) -> Callable[[int], Race]:
    """A program of `peers/`, stopped after `limit` seconds or at the last target."""

    def race(seed: int) -> Race:
        command = [python, str(PEERS / program), str(folder), "--seed", str(seed)]
        return common.race_peer(command, limit=limit, enough=max(TARGETS), env=common.environment())

    return race


def keras_python(folder: Path) -> str:
    """The interpreter of the Keras peer's own virtual environment, made on first use and kept."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making {folder} for Keras and TensorFlow (once) ...", file=sys.stderr)
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "tensorflow-cpu", "keras", "pillow"]
        if subprocess.run(install, check=False).returncode:
            raise common.BenchError(f"Keras cannot be installed into {folder}; --only svertka,lecture002 goes without.")
    return str(python)


def line_up(folder: Path, packed: Path, scratch: Path, options: argparse.Namespace) -> list[Competitor]:
    """The competitors that `--only` names (all of them without it)."""
    limit = options.peer_limit
    everyone = {
        "svertka": lambda: Competitor("svertka train FOLDER", svertka(folder, scratch), ours=True),
        "zip": lambda: Competitor("svertka train mnist.zip", svertka(packed, scratch), ours=True),
        "again": lambda: Competitor("the same, decoded before", svertka(packed, scratch, scratch / "kept"), ours=True),
        "lecture002": lambda: Competitor("script of lecture 002", peer(sys.executable, "lecture002.py", folder, limit)),
        "keras": lambda: Competitor(
            "Keras 3 LeNet, Adam, cached",
            peer(keras_python(options.keras_venv), "keras_lenet.py", folder, limit),
        ),
    }
    unknown = set(options.only) - set(everyone)
    if unknown:
        raise common.BenchError(f"--only knows {', '.join(everyone)}; not {', '.join(sorted(unknown))}.")
    return [make() for name, make in everyone.items() if not options.only or name in options.only]


def run(competitors: Sequence[Competitor], repeat: int) -> dict[str, list[Race]]:
    """Every competitor `repeat` times, in turn."""
    races: dict[str, list[Race]] = {c.name: [] for c in competitors}
    for number in range(repeat):
        for competitor in competitors if number % 2 == 0 else reversed(competitors):
            race = competitor.race(number)
            races[competitor.name].append(race)
            best = f"{race.best.accuracy:.2%} at {race.best.seconds:.1f} s" if race.points else "nothing shown"
            print(f"round {number + 1}: {competitor.name}: {best}", file=sys.stderr)
    return races


# --- what came out ---


def times_table(races: dict[str, list[Race]]) -> str:
    """Median seconds to each target; a dash where the median run never reached it."""

    def cell(runs: Sequence[Race], target: float) -> str:
        seconds = common.median([race.to(target) for race in runs])
        return "-" if seconds is None else f"{seconds:.1f} s"

    def best(runs: Sequence[Race]) -> str:
        shown = [race.best.accuracy for race in runs if race.points]
        return f"{common.median(shown):.2%}" if shown else "-"

    rows = [[name, *(cell(runs, t) for t in TARGETS), best(runs)] for name, runs in races.items()]
    return common.table(["time to test accuracy", *(f"{t:.1%}" for t in TARGETS), "best seen"], rows)


def ratio(ours: Sequence[Race], theirs: Sequence[Race], target: float, limit: float) -> str:
    """How many times longer they took (median over rounds); `>` where they had not got there when stopped."""
    if any(race.to(target) is None for race in ours):
        return "-"
    pairs = [(them.to(target) or limit) / us.to(target) for us, them in zip(ours, theirs, strict=True)]
    more = ">" if any(race.to(target) is None for race in theirs) else ""
    return f"{more}{common.median(pairs):.1f}x"


def ratios_table(ours: str, races: dict[str, list[Race]], peers: Sequence[str], limit: float) -> str:
    """Their seconds over ours for each target, and to the accuracy that all rounds of the peer showed."""
    rows = []
    for name in peers:
        best = min((race.best.accuracy if race.points else 0.0) for race in races[name])
        to_best = f"{ratio(races[ours], races[name], best, limit)} ({best:.2%})" if best else "-"
        rows.append([name, *(ratio(races[ours], races[name], t, limit) for t in TARGETS), to_best])
    return common.table([f"{ours}: faster than", *(f"{t:.1%}" for t in TARGETS), "to the peer's best"], rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--repeat", type=int, default=1, metavar="N", help="rounds; medians are shown")
    add("--peer-limit", type=float, default=260, metavar="S", help="stop a peer after so many seconds")
    add(
        "--only",
        type=lambda s: s.split(","),
        default=[],
        metavar="A,B",
        help="svertka zip again lecture002 keras",
    )
    add("--limit", type=int, metavar="N", help="only the first N pictures of each class (a rehearsal)")
    add("--keras-venv", type=Path, default=KERAS_VENV, metavar="DIR", help="the Keras peer's own environment")
    add("--json", type=Path, metavar="FILE", help="write every point of every curve there")
    return parser.parse_args()


def main() -> None:
    options = parse()
    print(f"{common.machine()}\n{common.versions('torch', 'numpy', 'pillow')}, {options.repeat} round(s)")
    with (
        tempfile.TemporaryDirectory(prefix="svertka-bench-") as scratch,
        common.unpacked(common.archive("mnist.zip"), options.limit) as (folder, packed),
    ):
        competitors = line_up(folder, packed, Path(scratch), options)
        races = run(competitors, options.repeat)
    for runs in races.values():
        if runs[-1].last.get("versions"):
            print(f"Keras peer: {runs[-1].last['versions']}")
    print(f"\nMedians, seconds from the start of the process:\n\n{times_table(races)}\n")
    peers = [c.name for c in competitors if not c.ours]
    for ours in (c.name for c in competitors if c.ours and peers):
        print(ratios_table(ours, races, peers, options.peer_limit), end="\n\n")
    print(LITERATURE)
    if options.json:
        curves = {name: [asdict(race) for race in runs] for name, runs in races.items()}
        options.json.write_text(json.dumps(curves, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

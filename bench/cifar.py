"""Time to accuracy on the CIFAR-10 copy, `svertka train --minutes M` against what a user would pick.

Whole processes, equal data (JPEG files, in a temporary folder for the peers), one machine, one run; as bench/mnist.py
does it. svertka has one point for each time budget: what it shows when its process has gone. A peer has one for each
pass, and is stopped when it has shown the highest accuracy of the table or its time is up: all peers together have
`--within` minutes, equally shared out, and who ends sooner leaves its rest to the others. With the usual settings all
of it takes less than 25 minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import common
import racing
from common import Race
from racing import Allowance, Competitor

TARGETS = (0.75, 0.80, 0.85)
PROMISED = {3: (0.85, 180), 10: (0.88, 600)}  # minutes -> this accuracy on test, in so many seconds
SKORCH_VENV = os.environ.get("BENCH_SKORCH_VENV")
QUICK = {"minutes": [0.3], "within": 2.5}
QUICK_PICTURES = 60  # of each class and part
# fastai cannot be installed beside a CPU-only PyTorch, see README.md
LITERATURE = (
    "NOT measured here: fastai resnet18 with its defaults, 863 s to 75.2 % (published for 2 cores of a cloud CPU)"
)


def line_up(folder: Path, packed: Path, scratch: Path, options: argparse.Namespace) -> list[Competitor]:
    """The competitors that `--only` names (all of them without it)."""
    allowance = Allowance(60 * options.within)

    def peer(name: str, program: str, python: str = sys.executable) -> Competitor:
        return Competitor(name, racing.peer(python, program, folder, limit=allowance, enough=max(TARGETS)))

    def ours(minutes: float) -> Competitor:
        return Competitor(title(minutes), racing.svertka(packed, scratch, "--minutes", f"{minutes:g}"), True)

    everyone = {f"svertka{minutes:g}": lambda minutes=minutes: ours(minutes) for minutes in options.minutes}
    everyone["plain"] = lambda: peer("plain PyTorch, channels-last, one-cycle", "plain_cifar.py")
    everyone["keras"] = lambda: peer(
        "Keras 3, six layers, Adam, cached", "keras_cifar.py", racing.keras_python(options.keras_venv)
    )
    if options.skorch_venv is not None:
        everyone["skorch"] = lambda: peer(
            "skorch, six layers, Adam, in memory", "skorch_cifar.py", str(options.skorch_venv / "bin" / "python")
        )
    only = [name for word in options.only for name in _named(word, everyone)]
    competitors = racing.chosen(everyone, only)
    allowance.races = options.repeat * sum(not competitor.ours for competitor in competitors)
    return competitors


def title(minutes: float) -> str:
    """What a row of ours is called."""
    return f"svertka train cifar10.zip --minutes {minutes:g}"


def verdicts(races: dict[str, list[Race]]) -> list[str]:
    """What was promised of ours, and whether it was kept."""
    lines = []
    for minutes, (accuracy, seconds) in PROMISED.items():
        runs = races.get(title(minutes), ())
        if runs:
            found = common.median([race.to(accuracy) for race in runs])
            told = "not reached" if found is None else f"{found:.0f} s"
            verdict = "kept" if found is not None and found <= seconds else "not kept"
            lines.append(f"{title(minutes)}: {accuracy:.0%} promised in {seconds} s: {told}, {verdict}.")
    return lines


def _named(word: str, everyone: dict[str, object]) -> list[str]:
    """`svertka` stands for all its time budgets."""
    return [name for name in everyone if name.startswith("svertka")] if word == "svertka" else [word]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--minutes", type=lambda s: [float(m) for m in s.split(",")], default=[1, 3], metavar="M,...", help="of svertka"
    )
    add("--within", type=float, default=18, metavar="MINUTES", help="that all peers may take together")
    add("--repeat", type=int, default=1, metavar="N", help="rounds; medians are shown")
    add("--only", type=lambda s: s.split(","), default=[], metavar="A,B", help="svertka plain keras skorch")
    add("--quick", action="store_true", help="a rehearsal on a few pictures, in two or three minutes")
    add("--keras-venv", type=Path, default=racing.KERAS_VENV, metavar="DIR", help="the Keras peer's own environment")
    add("--skorch-venv", type=Path, default=SKORCH_VENV and Path(SKORCH_VENV), metavar="DIR", help="one with skorch")
    add("--json", type=Path, metavar="FILE", help="write every point of every curve there")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def main() -> None:
    options = parse()
    if options.skorch_venv is None:
        print("skorch is left out: BENCH_SKORCH_VENV names no virtual environment that has it.")
    pictures = QUICK_PICTURES if options.quick else None
    races = racing.hold("cifar10.zip", pictures, line_up, options, targets=TARGETS, beside=LITERATURE)
    print(*verdicts(races), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

"""`svertka train digits`: the built-in 1,797 handwritten digits, whole process, empty cache.

The project's promise: under 10 s, and at least 98 % on the held-out part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import common


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds, each with another seed")
    options = parser.parse_args()
    print(f"{common.machine()}\n{common.versions('torch', 'scikit-learn')}, {options.repeat} round(s)\n")

    races = []
    for seed in range(options.repeat):
        with tempfile.TemporaryDirectory(prefix="svertka-bench-") as scratch:
            env = common.environment(SVERTKA_CACHE=str(Path(scratch, "cache")))
            out = str(Path(scratch, "run"))
            races.append(common.race_svertka("train", "digits", "--out", out, "--seed", str(seed), env=env))
    seconds = common.median([race.seconds for race in races])
    training = common.median([race.last["seconds"]["train"] for race in races])
    accuracies = [race.best.accuracy for race in races]
    row = [
        "svertka train digits",
        f"{seconds:.1f} s",
        f"{training:.1f} s",
        f"{common.median(accuracies):.2%}",
        f"{min(accuracies):.2%}",
    ]
    print(common.table(["process", "median", "of that training", "held-out accuracy", "lowest"], [row]))


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

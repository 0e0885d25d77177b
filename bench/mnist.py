"""Time to accuracy on MNIST, `svertka train` against what a user would pick: `python bench/mnist.py`.

Whole processes, equal data (one PNG a picture, in a temporary folder), one machine, one run; competitors
take turns, in reversed order every other round. svertka begins each round with an empty cache, so that
decoding and measuring the machine count.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import common
import racing
from racing import Competitor

TARGETS = (0.978, 0.982, 0.990, 0.992)
# fastai cannot be installed beside a CPU-only PyTorch, see README.md
LITERATURE = "NOT measured here: fastai resnet18, one epoch, 192 s to 99.0 % (published for 2 cores of a cloud CPU)"


def line_up(folder: Path, packed: Path, scratch: Path, options: argparse.Namespace) -> list[Competitor]:
    """The competitors that `--only` names (all of them without it)."""

    def peer(name: str, program: str, python: str = sys.executable) -> Competitor:
        return Competitor(name, racing.peer(python, program, folder, limit=options.peer_limit, enough=max(TARGETS)))

    def ours(name: str, data: Path, cache: Path | None = None) -> Competitor:
        return Competitor(name, racing.svertka(data, scratch, cache=cache), ours=True)

    everyone = {
        "svertka": lambda: ours("svertka train FOLDER", folder),
        "zip": lambda: ours("svertka train mnist.zip", packed),
        "again": lambda: ours("the same, decoded before", packed, scratch / "kept"),
        "lecture002": lambda: peer("script of lecture 002", "lecture002.py"),
        "keras": lambda: peer("Keras 3 LeNet, Adam, cached", "keras_lenet.py", racing.keras_python(options.keras_venv)),
    }
    return racing.chosen(everyone, options.only)


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
    add("--keras-venv", type=Path, default=racing.KERAS_VENV, metavar="DIR", help="the Keras peer's own environment")
    add("--json", type=Path, metavar="FILE", help="write every point of every curve there")
    return parser.parse_args()


def main() -> None:
    options = parse()
    racing.hold("mnist.zip", options.limit, line_up, options, targets=TARGETS, beside=LITERATURE)


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

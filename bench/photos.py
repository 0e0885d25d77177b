"""Photographs from scratch: `svertka train flowers.zip --weights none` against what Keras' own pages teach.

Whole processes, equal data, one machine, one run; as bench/cifar.py does it. svertka runs as it is and with
`--minutes`, and has one point each, what it shows when its process has gone; a peer has one for each epoch, and all
peers together have `--within` minutes. All are judged by the validation pictures, and by the best of their epochs. A
hundred pictures judge to four points at best: `--folds 5` deals all pictures to five folds, one for each round, so that
every picture judges once.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import common
import racing
from common import Race
from racing import Allowance, Competitor

TARGETS = {"flowers": (0.5, 0.6, 0.7, 0.75), "hymenoptera": (0.6, 0.65, 0.7, 0.75)}
PROMISED = 10  # times as fast as a peer, and at least as good
ENOUGH = 1.0  # nobody is stopped for having shown less
PROGRAMS = {  # the shorter one first: the other has what it leaves
    "tutorial": "Keras 3, tutorial: three blocks, 15 epochs",
    "guide": "Keras 3, its guide: small Xception, 25 epochs",
}
QUICK = {"within": 2.0, "folds": 0, "repeat": 1}
QUICK_PICTURES = 12  # of each class and part
# fastai cannot be installed beside a CPU-only PyTorch, see README.md
LITERATURE = (
    "NOT measured here: fastai, whose defaults start from ImageNet weights. From scratch there is only its own table "
    "of Imagenette (9,469 photographs of 10 classes, xresnet50, GPU): 87.4 % at 128 pixels after 5 epochs."
)


def line_up(folder: Path, packed: Path, scratch: Path, options: argparse.Namespace) -> list[Competitor]:
    """The competitors that `--only` names (all of them without it)."""
    rounds = deal(folder, options.folds, scratch / "folds" / packed.name) if options.folds else [(folder, packed)]

    def ours(*more: str) -> Competitor:
        words = ("--weights", "none", *more)
        races = [racing.svertka(packed, scratch, *words) for _, packed in rounds]
        return Competitor(f"svertka train {packed.name} {' '.join(words)}", in_turn(races), True)

    def peer(program: str) -> Competitor:
        python, words = racing.keras_python(options.keras_venv), ("keras_photos.py", "--program", program)
        limits = {"limit": options.allowance, "enough": ENOUGH}
        races = [racing.peer(python, words[0], folder, *words[1:], **limits) for folder, _ in rounds]
        return Competitor(PROGRAMS[program], in_turn(races))

    everyone = {"svertka": ours, "short": lambda: ours("--minutes", f"{options.minutes:g}")}
    everyone |= {name: lambda name=name: peer(name) for name in PROGRAMS}
    return racing.chosen(everyone, options.only)


def in_turn(races: Sequence[Callable[[int], Race]]) -> Callable[[int], Race]:
    """One race for each round; with a single one, the same in all rounds."""
    return lambda number: races[number % len(races)](number)


def deal(folder: Path, folds: int, place: Path) -> list[tuple[Path, Path]]:
    """All pictures of a folder with parts as so many folders with train/ and val/, and their zips.

    Which fold a picture judges is drawn once, within its class.
    """
    made = []
    for number in range(folds):
        dealt = place.with_suffix("") / str(number) / "pictures"
        for label in sorted({path.name for path in folder.glob("*/*/")}):
            files = sorted(folder.glob(f"*/{label}/*"))
            random.Random(0).shuffle(files)
            for position, file in enumerate(files):
                target = dealt / ("val" if position % folds == number else "train") / label / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        packed = shutil.make_archive(str(dealt.parent / place.stem), "zip", dealt)
        made.append((dealt, Path(packed)))
    return made


def verdicts(races: dict[str, list[Race]]) -> list[str]:
    """Of ours against each peer: how much better and faster, over all rounds, and whether that keeps the promise."""
    names = {ours: [name for name in races if name.startswith("svertka") == ours] for ours in (True, False)}
    return [verdict(ours, races[ours], peer, races[peer]) for peer in names[False] for ours in names[True]]


def verdict(ours: str, us: list[Race], peer: str, them: list[Race]) -> str:
    """A line of it."""
    if not all(race.points for race in them):
        return f"{peer}: showed nothing before it was stopped."
    mine, theirs = (statistics.mean(race.best.accuracy for race in runs) for runs in (us, them))
    pairs = list(zip(us, them, strict=True))
    to_best = statistics.median(b.best.seconds / a.seconds for a, b in pairs)
    whole = statistics.median(b.seconds / a.seconds for a, b in pairs)
    cut = any(race.stopped for race in them)
    kept = mine >= theirs and (to_best >= PROMISED or (cut and whole >= PROMISED))
    told = ("kept, as far as it was run" if cut else "kept") if kept else "not kept"
    return (
        f"{peer}: {theirs:.1%}, against {mine:.1%} of {ours}, mean of the best epochs; it takes {to_best:.1f}x as "
        f"long to its best epoch, {whole:.1f}x in all{' until it was stopped' if cut else ''}. Promised no worse in "
        f"1/{PROMISED} of the time: {told}."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--sets", type=lambda s: s.split(","), default=list(TARGETS), metavar="A,B", help=f"of {', '.join(TARGETS)}")
    add("--folds", type=int, default=0, metavar="K", help="deal all pictures anew; K rounds, each judged by one fold")
    add("--within", type=float, default=10, metavar="MINUTES", help="that all peers may take together, of all sets")
    add("--minutes", type=float, default=0.1, metavar="M", help="of a second, shorter training of ours")
    add("--repeat", type=int, default=1, metavar="N", help="rounds, where --folds does not say it; medians are shown")
    add("--only", type=lambda s: s.split(","), default=[], metavar="A,B", help="svertka short tutorial guide")
    add("--quick", action="store_true", help="a rehearsal on a few pictures, in two or three minutes")
    add("--keras-venv", type=Path, default=racing.KERAS_VENV, metavar="DIR", help="the Keras peers' own environment")
    add("--json", type=Path, metavar="FILE", help="write every point of every curve there, one file for each set")
    options = parser.parse_args()
    if unknown := set(options.sets) - set(TARGETS):
        parser.error(f"--sets knows {', '.join(TARGETS)}; not {', '.join(sorted(unknown))}.")
    if options.quick:
        vars(options).update(QUICK)
    options.repeat = options.folds or options.repeat
    return options


def main() -> None:
    options = parse()
    pictures, place = QUICK_PICTURES if options.quick else None, options.json
    running = [name for name in PROGRAMS if not options.only or name in options.only]
    options.allowance = Allowance(60 * options.within, len(running) * options.repeat * len(options.sets))
    for name in options.sets:
        print(f"\n## {name}\n")
        options.json = place and place.with_stem(f"{place.stem}-{name}")
        races = racing.hold(f"{name}.zip", pictures, line_up, options, targets=TARGETS[name], beside=LITERATURE)
        print(*verdicts(races), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

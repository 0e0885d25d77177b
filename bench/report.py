"""What a report costs: at the end of a training, again, and in full; whole processes, on a run of the CIFAR-10 copy.

The run is made first (`--minutes`); what its own report took is the time from its metrics.json to its report.html. Then
the page is made again: without what was kept of the network, with it, and with --full.

    python bench/report.py [--minutes M] [--data cifar10.zip] [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

AGAIN, FULL, SIZE = 30.0, 130.0, 5.0  # seconds; "about two minutes"; MB
SHARE, LEAST = 0.2, 30.0  # of the training, or so many seconds
LOOKS = ("explanations.npz", "network.json")  # what a report keeps of the network


def timed(*words: str, env: dict[str, str]) -> float:
    """Seconds of a svertka command, from the start of its process until it has gone."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "svertka", *words], capture_output=True, text=True, env=env, check=False
    )
    if done.returncode:
        raise common.BenchError(f"svertka {' '.join(words)} failed:\n{common.tail(done.stderr)}")
    return time.perf_counter() - begun


def measured(packed: Path, place: Path, options: argparse.Namespace) -> list[tuple[str, float, str, float]]:
    """Rows: what, how much, in which unit, and what was promised."""
    env, run = common.environment(SVERTKA_CACHE=str(place / "cache")), place / "run"
    length = ("--epochs", "1") if options.quick else ("--minutes", f"{options.minutes:g}")
    training = timed("train", str(packed), "--out", str(run), *length, env=env)
    own = (run / "report.html").stat().st_mtime - (run / "metrics.json").stat().st_mtime
    rows = [
        ("training, whole process", training, "s", float("nan")),
        ("its report", own, "s", max(LEAST, SHARE * training)),
    ]
    for name in LOOKS:
        (run / name).unlink()
    rows.append(("svertka report, nothing kept", timed("report", str(run), env=env), "s", AGAIN))
    rows.append(("svertka report, again", timed("report", str(run), env=env), "s", AGAIN))
    full = ("--full", "--minutes", "0.2") if options.quick else ("--full",)
    rows.append(("svertka report --full", timed("report", str(run), *full, env=env), "s", FULL))
    rows.append(("the full page", (run / "report.html").stat().st_size / 1e6, "MB", SIZE))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="of the training")
    parser.add_argument("--data", default="cifar10.zip", help="archive in the data folder")
    parser.add_argument("--quick", action="store_true", help="60 pictures of each class, one epoch: a rehearsal")
    options = parser.parse_args()
    print(f"{common.machine()}\n{common.versions('torch')}\n")
    with (
        common.unpacked(common.archive(options.data), 60 if options.quick else None) as (_, packed),
        tempfile.TemporaryDirectory(prefix="svertka-bench-") as place,
    ):
        rows = measured(packed, Path(place), options)
    promised = [[what, f"{value:.2f} {unit}", f"under {most:g} {unit}" if most == most else "-"]
                for what, value, unit, most in rows]  # fmt: skip
    print(common.table(["what", "measured", "promise"], promised))
    training, own = rows[0][1], rows[1][1]
    print(f"\nthe report of the training took {own / training:.1%} of it (promised 20 % or 30 s)")
    for what, value, unit, most in rows:
        if most == most:
            print(f"{'kept' if value < most else 'NOT KEPT'}: {what}, {value:.2f} of {most:g} {unit}")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

"""How long `svertka evaluate` takes, whole process: the 10,000 test pictures of MNIST, from a run.

The run is made first and not timed, so the decoded pictures are in the cache, as they are after a training. Beside it
stands what the process cannot do without: python with torch imported.

    python bench/evaluate.py [--repeat N] [--quick]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

PROMISE = 3.0  # seconds


def timed(*command: str, env: dict[str, str]) -> tuple[float, str]:
    """Seconds from the start of a process until it has gone, and what it printed."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise common.BenchError(f"{' '.join(command)} failed:\n{common.tail(done.stderr)}")
    return time.perf_counter() - begun, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds; medians are shown")
    parser.add_argument("--quick", action="store_true", help="300 pictures of each class: only to see that it works")
    options = parser.parse_args()
    print(f"{common.machine()}\n{common.versions('torch')}, {options.repeat} round(s)\n")
    with (
        common.unpacked(common.archive("mnist.zip"), 300 if options.quick else None) as (_, packed),
        tempfile.TemporaryDirectory(prefix="svertka-bench-") as place,
    ):
        env = common.environment(SVERTKA_CACHE=str(Path(place, "cache")))
        run = str(Path(place, "run"))
        common.race_svertka("train", str(packed), "--out", run, "--epochs", "1", env=env)
        ours, torch = [], []
        for _ in range(options.repeat):
            seconds, out = timed("-m", "svertka", "evaluate", run, str(packed), "--json", env=env)
            ours.append(seconds)
            torch.append(timed("-c", "import torch", env=env)[0])
        found = json.loads(out)
    rows = [
        [f"svertka evaluate, {found['n']:,} pictures", f"{common.median(ours):.2f} s", f"under {PROMISE:g} s"],
        ["python -c 'import torch'", f"{common.median(torch):.2f} s", "-"],
    ]
    print(common.table(["process", "median", "promise"], rows))
    print(f"\nof ours {found['seconds']:.2f} s after the imports (last round); accuracy {found['accuracy']:.2%}")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

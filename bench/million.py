"""Memory and start-up over many files: `check`, an epoch, and starting again, at 10,000 and at 1,000,000 entries.

Entries are tiny PNG pictures (8 x 8, gray, all different) in one zip archive, ten classes, made here. Each job is a
process of its own; what it held at most is the system's figure (VmHWM; ru_maxrss would begin with what its parent
held). Pages of mapped files count there, though the system takes them back whenever it wants: so what was its own
(RssAnon, looked at every 20 ms) is told too.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

import common

FEW, MANY = 10_000, 1_000_000
FLAT, START = 200.0, 10.0  # promised: MB more than for few entries, seconds to begin a run over known files

JOBS = {
    "check": "from svertka.api.check import check; found = check(data); n = len(found.source)",
    "check again": "from svertka.api.check import check; found = check(data); n = len(found.source)",
    "start again": (
        "from svertka.data import open_source, begin_store\n"
        "from svertka.pipeline.choose_preprocess import first_choices\n"
        "from svertka.training.recipe import Recipe; source = open_source(data)\n"
        "job = begin_store(source, first_choices(source, Recipe())[3]); store = job.finish(); n = len(store)\n"
        "assert not job.fresh"
    ),
    "an epoch": (
        "import numpy as np; from svertka.data import open_source, begin_store\n"
        "from svertka.pipeline.choose_preprocess import first_choices; from svertka.training.recipe import Recipe\n"
        "from svertka.data.loading.loader import Loader; source = open_source(data)\n"
        "preprocess = first_choices(source, Recipe())[3]; store = begin_store(source, preprocess).finish()\n"
        "loader = Loader(store.pixels, source.labels, np.arange(len(store)), preprocess, batch=256, seed=0)\n"
        "n = sum(len(b.y) for b in loader.epoch())"
    ),
}
PROGRAM = """
import json, pathlib, resource, sys, threading, time
own = [0.0]
def told(what):
    return int(pathlib.Path("/proc/self/status").read_text().partition(what + ":")[2].split()[0]) / 1024
def look():
    while True:
        own[0] = max(own[0], told("RssAnon"))
        time.sleep(0.02)
if sys.platform.startswith("linux"):
    threading.Thread(target=look, daemon=True).start()
begun = time.perf_counter(); data = sys.argv[1]
{job}
peak = told("VmHWM") if own[0] else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"n": n, "seconds": time.perf_counter() - begun, "peak": peak, "own": own[0]}}))
"""


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def archive(place: Path, n: int) -> Path:
    """A zip of n pictures, train/CLASS/NUMBER.png."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    end, g = chunk(b"IEND", b""), np.random.default_rng(0)
    with zipfile.ZipFile(place, "w") as made:
        for first in range(0, n, 10_000):
            rows = g.integers(0, 256, (min(10_000, n - first), 8, 9), dtype=np.uint8)
            rows[:, :, 0] = 0  # no filter
            for k, row in enumerate(rows, first):
                made.writestr(
                    f"train/{k % 10}/{k:07}.png", head + chunk(b"IDAT", zlib.compress(row.tobytes(), 1)) + end
                )
    return place


def run(job: str, data: Path, cache: Path) -> dict[str, float]:
    """What one process took."""
    command = [sys.executable, "-c", PROGRAM.format(job=JOBS[job]), str(data)]
    done = subprocess.run(
        command, env=common.environment(SVERTKA_CACHE=str(cache)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise common.BenchError(f"{job} over {data} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a rehearsal: a hundredth of the entries")
    parser.add_argument("--many", type=int, default=MANY, metavar="N", help="entries of the larger archive")
    options = parser.parse_args()
    few, many = (FEW // 100, MANY // 100) if options.quick else (FEW, options.many)
    print(f"{common.machine()}\n{common.versions('torch', 'numpy', 'pillow')}\n")
    found: dict[str, list[dict[str, float]]] = {job: [] for job in JOBS}
    with tempfile.TemporaryDirectory() as place:
        for n in (few, many):
            data = archive(Path(place, f"{n}.zip"), n)
            for job in JOBS:
                found[job].append(run(job, data, Path(place, "cache")))
            data.unlink()
    rows = []
    for job, (small, large) in found.items():
        peaks = [small["peak"], large["peak"], large["peak"] - small["peak"], large["own"] - small["own"]]
        rows.append([job, *(f"{peak:.0f} MB" for peak in peaks), f"{large['seconds']:.1f} s"])
    print(common.table(["job", f"peak at {few:,}", f"at {many:,}", "more", "more of its own", "seconds there"], rows))
    print(f"\nPromised: at most {FLAT:.0f} MB more; starting again over {MANY:,} known files under {START:.0f} s.")


if __name__ == "__main__":
    main()

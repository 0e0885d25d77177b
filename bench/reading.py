"""The first pass over JPEG photographs: decoding, resizing, hashing, measuring, storing.

- svertka: `begin_store(...).finish()` with `--workers` processes, from their start, into an empty cache.
- simplejpeg alone: every file read and decoded at full size in as many threads of one process; nothing else.
- DataLoader with Pillow: open, convert, resize, crop, to tensor, in as many worker processes, from their start.

Two sets: photographs of 500 pixels and of 12 megapixels, made by enlarging those of flowers.zip ($SVERTKA_DATA) with
fine noise, at quality 90. Each way in turns; files lie in the system's cache for all.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "src"))

import numpy as np
import simplejpeg
from PIL import Image
from torch.utils.data import DataLoader

from loader import Files
from svertka.data import begin_store, open_source
from svertka.kinds.image import Preprocess
from svertka.kinds.image.resize import vectors

SETS = {"500-pixel photos": (500, 375, 3000), "12-megapixel photos": (4000, 3000, 80)}  # width, height, how many


def photographs(folder: Path, width: int, height: int, n: int) -> list[Path]:
    """Real photographs brought to one size, with the fine noise that enlarging would lack."""
    g, files = np.random.default_rng(0), []
    with zipfile.ZipFile(common.archive("flowers.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for k in range(n):
            image = Image.open(io.BytesIO(archive.read(names[k % len(names)]))).convert("RGB")
            pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
            pixels = pixels + g.integers(-6, 7, pixels.shape, dtype=np.int16)
            files.append(folder / "ab"[k % 2] / f"{k}.jpg")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1], quality=90)
    return files


def ours(folder: Path, cache: Path, side: int, workers: int) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    store = begin_store(open_source(folder), Preprocess(side, side, 3, "crop"), cache, workers).finish()
    if not store.readable.all():
        raise common.BenchError(f"photographs that cannot be read: {store.reasons}")


def decoding_alone(files: list[Path], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda file: simplejpeg.decode_jpeg(file.read_bytes()).shape, files):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds")
    parser.add_argument("--side", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--quick", action="store_true", help="a rehearsal: few pictures, one round")
    options = parser.parse_args()
    packages = ["torch", "pillow", "numpy", "simplejpeg", *(["cykooz.resizer"] if vectors() else [])]
    print(f"{common.machine()}\n{common.versions(*packages)}, {options.workers} workers\n")
    rows = []
    for title, (width, height, n) in SETS.items():
        n, rounds = (max(4, n // 40), 1) if options.quick else (n, options.repeat)
        with tempfile.TemporaryDirectory() as place:
            folder, cache = Path(place, "photos"), Path(place, "stores")
            files = photographs(folder, width, height, n)
            peer = DataLoader(Files(files, options.side), 32, num_workers=options.workers)
            ways = {
                "svertka, first pass": lambda: ours(folder, cache, options.side, options.workers),  # noqa: B023
                "simplejpeg alone, full size": lambda: decoding_alone(files, options.workers),  # noqa: B023
                "DataLoader with Pillow": lambda: list(peer),  # noqa: B023
            }
            times: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(rounds + 1):
                for name, way in ways.items():
                    begun = time.perf_counter()
                    way()
                    times[name].append(time.perf_counter() - begun)
        first = next(iter(ways))
        for name, seconds in times.items():
            ratio = statistics.median(t / o for t, o in zip(seconds[1:], times[first][1:], strict=True))
            rows.append([f"{title}: {name}", f"{n / statistics.median(seconds[1:]):,.1f}", f"{ratio:.2f}x"])
    print(common.table(["way", "pictures a second", "time to ours"], rows))
    print(
        "\nPromised: simplejpeg at least 0.80x, the DataLoader at least 1.50x (500 pixels) and 4.00x (12 megapixels)."
    )


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))

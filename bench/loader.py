"""Later epochs: batches from the store, shuffled and normalized, against a PIL DataLoader and the speed of memory.

The same photographs for both, JPEG files of a folder. Ours: `svertka.data.Loader` on the finished store, no
augmentation, float32 channels-last, in one process. The peer: a `torch.utils.data.DataLoader` over the files with
Pillow (open, convert, resize, crop), to tensor, normalized, in `--workers` processes, as the usual tutorials have it.
Seconds of the clock, a whole pass each, in turns after one to warm up. Memory: torch copies floats that no cache holds
(at least four times its size: McCalpin 1995, the rule of STREAM), bytes written a second; the loader writes batches of
floats from uint8 pixels, so its bytes count alike. Beside it the same for one batch, which a large cache holds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "src"))

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from svertka.data import begin_store, open_source
from svertka.data.loading.loader import Loader
from svertka.kinds.image import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Files(Dataset):
    """JPEG files by Pillow, as a tutorial's transforms bring them to a square of `side`."""

    def __init__(self, files: list[Path], side: int) -> None:
        self.files, self.side = files, side
        self.mean, self.std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[i]) as opened:
            image = opened.convert("RGB")
        scale = self.side / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - self.side) // 2, (image.height - self.side) // 2
        image = image.crop((left, top, left + self.side, top + self.side))
        x = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float() / 255
        return (x - self.mean) / self.std, 0


def photographs(folder: Path, n: int, size: tuple[int, int]) -> list[Path]:
    """Smooth colors with detail, saved at quality 90."""
    g, files = np.random.default_rng(0), []
    for k in range(n):
        coarse = Image.fromarray(g.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(coarse).astype(int) + g.integers(-10, 11, (size[1], size[0], 3))
        files.append(folder / "ab"[k % 2] / f"{k}.jpg")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1], quality=90)
    return files


def passing(batches: Callable[[], object]) -> float:
    """Seconds of one pass."""
    begun = time.perf_counter()
    for _ in batches():
        pass
    return time.perf_counter() - begun


def copy_speed(numbers: int) -> float:
    """Bytes a second that torch copies from one float tensor to another."""
    source, target = torch.rand(numbers), torch.empty(numbers)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        target.copy_(source)
        times.append(time.perf_counter() - begun)
    return source.nbytes / statistics.median(times[5:])


def small(side: int, channels: int, batch: int, repeat: int) -> str:
    """Microseconds a picture and a batch in the case of small pictures."""
    n = 20_000
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)
    loader = Loader(pixels, np.zeros(n, int), np.arange(n), Preprocess(side, side, channels), batch=batch, seed=0)
    seconds = statistics.median(passing(loader.epoch) for _ in range(repeat + 1))
    each, whole = 1e6 * seconds / n, 1e6 * seconds / len(loader)
    return f"{side}x{side}x{channels}, batch {batch}: {each:.2f} us a picture, {whole:.0f} us a batch"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds")
    parser.add_argument("--pictures", type=int, default=512, metavar="N")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    parser.add_argument("--side", type=int, default=224, metavar="PIXELS")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N", help="of the DataLoader")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="N", help="of PyTorch")
    parser.add_argument("--quick", action="store_true", help="a rehearsal: few pictures, one round")
    options = parser.parse_args()
    if options.quick:
        options.repeat, options.pictures = 1, 64
    torch.set_num_threads(options.threads)
    print(
        f"{common.machine()}\n{common.versions('torch', 'pillow', 'numpy', 'simplejpeg')}, {options.threads} threads\n"
    )
    with tempfile.TemporaryDirectory() as place:
        files = photographs(Path(place, "photos"), options.pictures, (500, 375))
        preprocess = Preprocess(options.side, options.side, 3, "crop", mean=MEAN, std=STD)
        store = begin_store(open_source(Path(place, "photos")), preprocess, Path(place, "stores")).finish()
        ours = Loader(
            store.pixels, np.zeros(len(store), int), np.arange(len(store)), preprocess, batch=options.batch, seed=0
        )
        peer = DataLoader(Files(files, options.side), options.batch, shuffle=True, num_workers=options.workers)
        ways = {"svertka, from the store": ours.epoch, "DataLoader with Pillow": lambda: iter(peer)}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeat + 1):
            for name, way in ways.items():
                times[name].append(passing(way))
    rows, first = [], next(iter(ways))
    batch_bytes = 4 * 3 * options.side**2
    for name, seconds in times.items():
        speed = options.pictures / statistics.median(seconds[1:])
        ratio = statistics.median(t / o for t, o in zip(seconds[1:], times[first][1:], strict=True))
        rows.append([name, f"{speed:,.0f}", f"{batch_bytes * speed / 1e9:.2f}", f"{ratio:.1f}x"])
    memory, cache = copy_speed(2**27), copy_speed(options.batch * batch_bytes // 4)
    for what, speed in (("copying memory", memory), ("copying one batch", cache)):
        rows.append([what, f"{speed / batch_bytes:,.0f}", f"{speed / 1e9:.2f}", ""])
    print(common.table(["way", "pictures a second", "GB a second", "time to ours"], rows))
    ours_speed = batch_bytes * options.pictures / statistics.median(times[first][1:])
    print(
        f"\nThe loader writes at {ours_speed / memory:.2f} of the speed of copying memory (promised 0.5), "
        f"{ours_speed / cache:.2f} of that of copying a batch; promised: 20x the DataLoader."
    )
    for line in (small(28, 1, 192, options.repeat), small(32, 3, 192, options.repeat)):
        print(line)


if __name__ == "__main__":
    main()

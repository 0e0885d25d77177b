"""The full augmentation of lecture 001 on photographs: batches of tensors, against picture after picture, and kornia.

All start from the same uint8 pictures in memory and end with a normalized float batch. Turn, both mirrors, brightness
and contrast, stretch and squeeze, blur or sharpening, noise, on every picture. One thread and one process, in turns;
the clock is the processor time of this process, so that neighbors on the machine count little.

- Pillow and numpy: the steps of torchvision's transforms, one picture after another, as a loader worker does them. Its
  affine map is one step too (RandomAffine), noise is numpy's.
- kornia: its own batch augmentation with p=1, where `--kornia DIR` names a virtual environment that has it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "src"))

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter

from svertka.kinds.image import Preprocess
from svertka.kinds.image.augment.augment import Augment

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TURN, STRETCH, TONE, BLUR, SHARPEN, NOISE = 20.0, 0.2, 0.3, 1.0, 1.0, 0.05
SHIFT = {"flip_horizontal": True, "shift": 0.1}
FULL = {
    "flip_horizontal": True, "flip_vertical": True, "rotate": TURN, "scale": STRETCH, "aspect": STRETCH,
    "brightness": TONE, "contrast": TONE, "blur": BLUR, "sharpen": SHARPEN, "noise": NOISE,
}  # fmt: skip

Batch = Callable[[torch.Tensor], torch.Tensor]  # uint8 (n, h, w, 3) -> float (n, 3, h, w)


def ours(side: int, **how: object) -> Batch:
    augment, preprocess, epoch = Augment(**how), Preprocess(side, side, 3, mean=MEAN, std=STD), iter(range(1 << 30))
    return lambda x: preprocess.normalize(augment(x, torch.arange(len(x)), 0, next(epoch)))


def one_by_one(side: int) -> Batch:
    g = np.random.default_rng(0)
    mean, std = np.float32(MEAN)[:, None, None], np.float32(STD)[:, None, None]

    def vary(pixels: np.ndarray) -> torch.Tensor:
        picture = Image.fromarray(pixels)
        if g.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if g.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        angle, zoom = np.radians(g.uniform(-TURN, TURN)), g.uniform(1 - STRETCH, 1 + STRETCH)
        form = g.uniform(1 - STRETCH, 1 + STRETCH) ** 0.5
        a, b = np.cos(angle) / (zoom * form), -np.sin(angle) / (zoom * form)
        c, d = np.sin(angle) / zoom * form, np.cos(angle) / zoom * form
        m = side / 2
        coefficients = (a, b, m - (a + b) * m, c, d, m - (c + d) * m)
        picture = picture.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        picture = ImageEnhance.Brightness(picture).enhance(g.uniform(1 - TONE, 1 + TONE))
        picture = ImageEnhance.Contrast(picture).enhance(g.uniform(1 - TONE, 1 + TONE))
        if g.random() < 0.5:
            picture = picture.filter(ImageFilter.GaussianBlur(g.uniform(0, BLUR)))
        else:
            picture = ImageEnhance.Sharpness(picture).enhance(1 + g.uniform(0, SHARPEN))
        x = np.asarray(picture).transpose(2, 0, 1).astype(np.float32) / 255  # what ToTensor does
        x += g.uniform(0, NOISE) * g.standard_normal(x.shape, dtype=np.float32)
        return torch.from_numpy((x.clip(0, 1) - mean) / std)

    return lambda x: torch.stack([vary(pixels) for pixels in x.numpy()])


def kornia_batch() -> Batch:
    from kornia import augmentation as K

    steps = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomVerticalFlip(p=0.5),
        K.RandomAffine(TURN, scale=(1 - STRETCH, 1 + STRETCH, 1 - STRETCH, 1 + STRETCH), p=1.0),
        K.ColorJiggle(brightness=TONE, contrast=TONE, p=1.0),
        K.RandomGaussianBlur((7, 7), (0.1, BLUR), p=0.5),
        K.RandomSharpness(SHARPEN, p=0.5),
        K.RandomGaussianNoise(std=NOISE, p=1.0),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )
    return lambda x: steps(x.permute(0, 3, 1, 2).float() / 255)


def photographs(n: int, side: int) -> torch.Tensor:
    """Smooth colors with detail: uint8 (n, side, side, 3)."""
    g = np.random.default_rng(0)
    coarse = [
        Image.fromarray(g.integers(0, 256, (14, 14, 3), dtype=np.uint8)).resize((side, side), 3) for _ in range(n)
    ]
    pixels = np.stack([np.asarray(c) for c in coarse]).astype(int) + g.integers(-12, 13, (n, side, side, 3))
    return torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    parser.add_argument("--side", type=int, default=224, metavar="PIXELS")
    parser.add_argument(
        "--kornia", type=Path, metavar="DIR", help="virtual environment with kornia (pip install --no-deps)"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.kornia is not None:  # behind our own packages: torch stays the same for all
        sys.path.extend(map(str, options.kornia.glob("lib/python3*/site-packages")))
    print(f"{common.machine()}\n{common.versions('torch', 'pillow', 'numpy')}, {options.repeat} rounds\n")
    pixels = photographs(options.batch, options.side)
    ways = {
        "svertka, all of the lecture's": ours(options.side, **FULL),
        "Pillow and numpy, one by one": one_by_one(options.side),
        "svertka, mirror and shift only": ours(options.side, **SHIFT),
    }
    if options.kornia is not None:
        ways["kornia"] = kornia_batch()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeat + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way(pixels)
            times[name].append((time.process_time() - begun) / options.batch)
    first = next(iter(ways))
    rows = []
    for name, seconds in times.items():
        ratio = statistics.median(
            t / o for t, o in zip(seconds[1:], times[first][1:], strict=True)
        )  # the first warms up
        rows.append([name, f"{1000 * statistics.median(seconds[1:]):.2f}", f"{ratio:.1f}x"])
    print(common.table(["way", "ms a picture", "of ours"], rows))


if __name__ == "__main__":
    main()

"""What a careful user writes in plain PyTorch for CIFAR-10: pictures in memory, a small network, one-cycle.

Decoded once by Pillow in threads and kept as uint8; batches of 128, mirrored and shifted by up to four pixels as
tensors; convolutions with batch norm in channels-last; SGD with Nesterov momentum under torch's OneCycleLR, label
smoothing. After each epoch the test pictures are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn, optim

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # the usual figures of CIFAR-10
PAD = 4


def pictures(folder: Path) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, 32, 32) and int64 (n,) of a folder with one sub-folder a class."""
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    samples = [(file, label) for label, name in enumerate(classes) for file in sorted((folder / name).iterdir())]

    def pixels(sample: tuple[Path, int]) -> np.ndarray:
        with Image.open(sample[0]) as picture:
            return np.asarray(picture.convert("RGB"))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stacked = np.stack(list(pool.map(pixels, samples)))  # (n, 32, 32, 3)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2), torch.tensor([label for _, label in samples])


def normalized(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) * 255 for values in (MEAN, STD))
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def varied(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture mirrored or not; the batch shifted by one random offset (crops of a padded batch)."""
    flip = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    x = torch.where(flip, x.flip(3), x)
    dy, dx = torch.randint(0, 2 * PAD + 1, (2,), generator=generator).tolist()
    return F.pad(x, (PAD,) * 4)[:, :, dy : dy + 32, dx : dx + 32]


def block(channels: int, filters: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters), nn.ReLU())


def network(classes: int) -> nn.Module:
    """Small enough to be through in some minutes on two cores: 29 million multiply-adds a picture."""
    return nn.Sequential(
        block(3, 32), nn.MaxPool2d(2),  # (n, 32, 16, 16)
        block(32, 64), block(64, 64), nn.MaxPool2d(2),  # (n, 64, 8, 8)
        block(64, 128), block(128, 128), nn.AdaptiveMaxPool2d(1), nn.Flatten(),  # (n, 128)
        nn.Linear(128, classes),
    )  # fmt: skip


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with torch.inference_mode():
        right = sum(
            (model(normalized(a)).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500), strict=True)
        )
    return right / len(y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)

    x, y = pictures(options.data / "train")
    test_x, test_y = pictures(options.data / "test")
    model = network(int(y.max()) + 1).to(memory_format=torch.channels_last)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = -(-len(x) // options.batch)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=steps * options.epochs)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    for epoch in range(1, options.epochs + 1):
        model.train()
        for rows in torch.randperm(len(x), generator=generator).split(options.batch):
            optimizer.zero_grad(set_to_none=True)
            criterion(model(varied(normalized(x[rows]), generator)), y[rows]).backward()
            optimizer.step()
            scheduler.step()
        start = time.perf_counter()
        scored = accuracy(model, test_x, test_y)
        point = {"epoch": epoch, "accuracy": scored, "evaluating": time.perf_counter() - start}
        print(json.dumps(point), flush=True)


if __name__ == "__main__":
    main()

"""The usual tutorial on transfer learning, in our own writing: a frozen backbone, a linear head, plain loaders.

The backbone runs in evaluation mode for every picture in every epoch; training pictures are cropped and
mirrored at random (as RandomResizedCrop and RandomHorizontalFlip do), decoded by Pillow in two loader
workers. Adam, 25 epochs. With `--forward` it only looks once at every picture, unvaried, and ends: one plain
pass.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn, optim
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from svertka.transfer.backbones import open_backbone  # only for its network and weights, as they are


class ImageFolder(Dataset):
    def __init__(self, root: Path, mean: tuple[float, ...], std: tuple[float, ...], train: bool) -> None:
        classes = sorted(p.name for p in root.iterdir() if p.is_dir())
        self.samples = [(f, label) for label, name in enumerate(classes) for f in sorted((root / name).iterdir())]
        self.mean, self.std, self.train = torch.tensor(mean), torch.tensor(std), train

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        with Image.open(path) as picture:
            image = picture.convert("RGB")
        image = random_crop(image) if self.train else center_crop(image)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(224, 224, 3)
        return ((pixels.float() / 255 - self.mean) / self.std).permute(2, 0, 1).contiguous(), label


def center_crop(image: Image.Image) -> Image.Image:
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return image.crop((left, top, left + 224, top + 224))


def random_crop(image: Image.Image) -> Image.Image:
    width, height = image.size
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if w <= width and h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            image = image.resize((224, 224), Image.Resampling.BILINEAR, box=(left, top, left + w, top + h))
            break
    else:
        image = center_crop(image)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else image


def accuracy(backbone: nn.Module, head: nn.Module, loader: DataLoader) -> float:
    right = count = 0
    with torch.no_grad():
        for x, y in loader:
            right += int((head(backbone.embed(x)).argmax(1) == y).sum())
            count += len(y)
    return right / count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--forward", action="store_true")
    options = parser.parse_args()
    opened = open_backbone(options.weights)
    backbone, ranges = opened.net.eval().requires_grad_(False), (opened.preprocess.mean, opened.preprocess.std)
    plain = [ImageFolder(options.folder / part, *ranges, train=False) for part in ("train", "val")]
    if options.forward:
        begun, pictures = time.perf_counter(), 0
        with torch.no_grad():
            for x, _ in DataLoader(ConcatDataset(plain), batch_size=32, num_workers=2):
                pictures += len(backbone.embed(x))
        print(
            json.dumps(
                {"accuracy": 0.0, "evaluating": 0.0, "pictures": pictures, "looking": time.perf_counter() - begun}
            )
        )
        return
    train = DataLoader(ImageFolder(options.folder / "train", *ranges, train=True), 32, shuffle=True, num_workers=2)
    validation = DataLoader(plain[1], 32, num_workers=2)
    width = backbone.embed(torch.zeros(1, 3, 224, 224)).shape[1]
    head = nn.Linear(width, len({label for _, label in plain[0].samples}))
    optimizer = optim.Adam(head.parameters(), lr=1e-3)
    for _ in range(options.epochs):
        for x, y in train:
            loss = nn.functional.cross_entropy(head(backbone.embed(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        begun = time.perf_counter()
        share = accuracy(backbone, head, validation)
        print(json.dumps({"accuracy": share, "evaluating": time.perf_counter() - begun}), flush=True)


if __name__ == "__main__":
    main()

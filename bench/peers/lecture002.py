"""The script of lecture 002 in our own writing: one convolution, batches of 10, Adadelta, plain loaders.

As in the lecture: Net (16 filters 3x3, ReLU, max pooling, one dense layer), ToTensor and
Normalize((0.1307,), (0.3081,)) per picture, shuffled batches of 10, Adadelta with lr 1.0, cross-entropy, 10
epochs. Added, because the lecture leaves it out or torchvision may not be had:
- pictures come from a folder per class through Pillow, decoded in two loader workers;
- StepLR, which the lecture creates and never steps, is stepped after each epoch, as PyTorch's MNIST example
  does;
- after each epoch the test pictures are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, stride=1, padding=1)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.fc = nn.Linear(16 * 14 * 14, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.conv1(x)))  # (n, 16, 14, 14)
        return self.fc(x.view(x.size(0), -1))  # (n, 10)


class ImageFolder(Dataset):
    """One class per sub-folder, in sorted order; gray pictures as normalized tensors (1, 28, 28)."""

    def __init__(self, root: Path) -> None:
        classes = sorted(p.name for p in root.iterdir() if p.is_dir())
        self.samples = [(file, label) for label, name in enumerate(classes) for file in sorted((root / name).iterdir())]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        with Image.open(path) as picture:
            pixels = np.array(picture.convert("L"))
        return torch.from_numpy(pixels)[None].float().div(255).sub_(0.1307).div_(0.3081), label


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = 0
    with torch.no_grad():
        for data, target in loader:
            right += (model(data).argmax(1) == target).sum().item()
    return right / len(loader.dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    train_loader = DataLoader(ImageFolder(options.data / "train"), batch_size=10, shuffle=True, num_workers=2)
    # larger batches score faster; the lecture's 10 would only slow the peer down
    test_loader = DataLoader(ImageFolder(options.data / "test"), batch_size=500, num_workers=2)
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)

    for epoch in range(1, options.epochs + 1):
        model.train()
        for data, target in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(data), target)
            loss.backward()
            optimizer.step()
        scheduler.step()
        start = time.perf_counter()
        scored = accuracy(model, test_loader)
        point = {"epoch": epoch, "accuracy": scored, "evaluating": time.perf_counter() - start}
        print(json.dumps(point), flush=True)


if __name__ == "__main__":
    main()

"""CIFAR-10 as skorch's user guide teaches it: a module, arrays in memory, NeuralNetClassifier with Adam.

The network is the six-layer one of the Keras peer; pictures are decoded as in
plain_cifar.py. No picture is varied: the guide does not, and skorch's loader would do it one by one. After each epoch
the test pictures are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import skorch
import torch
from plain_cifar import normalized, pictures
from skorch.callbacks import Callback
from torch import Tensor, nn

VERSIONS = f"Python {sys.version.split()[0]}, skorch {skorch.__version__}, torch {torch.__version__}"


class SixLayers(nn.Module):
    """Four convolutions and two dense layers: uint8 (n, 3, 32, 32) -> (n, classes)."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.25),  # (n, 32, 16, 16)
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),  # (n, 4096)
            nn.Linear(4096, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(normalized(x))


class Score(Callback):
    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        start = time.perf_counter()
        scored = float((net.predict(self.x) == self.y).mean())
        point = {"accuracy": scored, "evaluating": time.perf_counter() - start, "versions": VERSIONS}
        print(json.dumps(point), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    x, y = (tensor.numpy() for tensor in pictures(options.data / "train"))
    test = (tensor.numpy() for tensor in pictures(options.data / "test"))
    net = skorch.NeuralNetClassifier(
        SixLayers,
        module__classes=int(y.max()) + 1,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=options.epochs,
        batch_size=options.batch,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("score", Score(*test))],
        verbose=0,
    )
    net.fit(x, y)


if __name__ == "__main__":
    main()

"""Batches from the store: gathered, varied and normalised as tensors, in an order that only (seed, epoch) decide.

There are no worker processes to feed a small network: a batch is one gather from the memory map and one
multiply-add, and the pixels already lie in channels-last order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from svertka.data.augment import Augment
from svertka.data.random import mix
from svertka.signals import Preprocess


class Batch(NamedTuple):
    """x float (b, c, h, w) channels-last, y int64 (b,), index int64 (b,) into the store."""

    x: Tensor
    y: Tensor
    index: Tensor


class Loader:
    """Batches of some of the store's pictures, shuffled and varied for training or in order for measuring.

    Args:
        pixels: uint8 (n, h, w, c), the store's memory map or any array.
        labels: (n,) the class of every picture in the store.
        index: (m,) which pictures of the store take part.
        preprocess: how pixels become network input.
        batch: pictures a step; the last batch of a pass is smaller unless `full`.
        seed: shuffles and augments by it; None keeps the order and the pictures.
        augment: how training pictures are varied.
        full: leave out the pictures that do not fill a batch (others each epoch, since the order differs).
        device: where batches are made.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        index: np.ndarray,
        preprocess: Preprocess,
        *,
        batch: int,
        seed: int | None = None,
        augment: Augment | None = None,
        full: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        self.pixels = torch.from_numpy(pixels)
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.index = torch.from_numpy(np.asarray(index, dtype=np.int64))
        self.preprocess, self.seed, self.augment = preprocess, seed, augment or Augment()
        self.batch = min(batch, max(1, len(self.index)))
        self.full, self.device = full, torch.device(device)
        if self.device.type != "cpu":  # resident on the device: every later batch is a gather there
            self.pixels, self.labels = self.pixels.to(self.device), self.labels.to(self.device)

    def __len__(self) -> int:
        """Batches in one pass."""
        n = len(self.index)
        return n // self.batch if self.full else -(-n // self.batch)

    def order(self, epoch: int) -> Tensor:
        """The pictures of one pass, in order: int64 indices into the store."""
        if self.seed is None:
            return self.index
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
        return self.index[torch.randperm(len(self.index), generator=generator)]

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of one pass, from batch number `start` on."""
        order = self.order(epoch).to(self.device)
        for k in range(start, len(self)):
            index = order[k * self.batch : (k + 1) * self.batch]
            pixels = self.pixels[index]  # (b, h, w, c)
            if self.seed is not None:
                pixels = self.augment(pixels, index, self.seed, epoch)
            yield Batch(self.preprocess.normalise(pixels), self.labels[index], index)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()

"""What models are fed with: a `Flow` of `svertka.data`, from which the loop takes torch batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from svertka.data.loading.loader import Batch, Loader
from svertka.data.loading.numpy_batches import Flow
from svertka.errors import ShapeError, UsageError


@dataclass(frozen=True)
class AsTheyAre:
    """What a loader asks of a Preprocess, for arrays: their shape, and nothing done but torch's order."""

    shape: tuple[int, int, int]  # (channels, height, width)

    @property
    def stored(self) -> tuple[int, int, int]:
        """(height, width, channels), as the arrays have them."""
        return (*self.shape[1:], self.shape[0])

    def normalize(self, pixels: Tensor, out: Tensor | None = None, index: Tensor | None = None) -> Tensor:
        """(n, h, w, c) -> (n, c, h, w), channels-last in memory; `index` chooses rows, `out` is not needed."""
        return (pixels if index is None else pixels[index]).permute(0, 3, 1, 2)


@dataclass
class Passes:
    """So many batches of a flow a pass, as the loop takes a loader; `onward`: from where the last ended."""

    flow: Flow
    steps: int | None = None
    onward: bool = False
    device: str = "cpu"
    size: int = 1  # a facade's model learns in one process

    @property
    def total(self) -> int:
        """Pictures of a whole flow."""
        return len(self.flow.loader.index)

    def __len__(self) -> int:
        return len(self.flow) if self.steps is None else self.steps

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of one pass."""
        batches = self.flow.stream if self.onward else self.flow.loader.epoch()
        for x, y, index in islice(batches, len(self) - start):
            yield Batch(x.to(self.device), y.to(self.device), index)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()


def flow_of(x: object, y: object = None, *, batch_size: int = 32, seed: int | None = None) -> Flow:
    """Whatever a model is given as a flow: a flow itself, or arrays (n, h, w, c), (n,) or (n, classes).

    Args:
        x, y: a flow and None, or arrays; labels may be missing where nothing is learned.
        batch_size: of a flow that is made here.
        seed: shuffles it; None keeps the order.

    Raises:
        ShapeError: arrays of other shapes.
    """
    if isinstance(x, Flow):
        if y is not None:
            raise UsageError("A generator brings its labels with it: leave y out.")
        return x
    if x is None:
        raise UsageError("There is nothing to go through: pass arrays, or what flow_from_directory returned.")
    if not hasattr(x, "__array__") and not isinstance(x, list | tuple):
        raise UsageError(f"A model takes arrays, or what flow() returned; received {type(x).__name__}.")
    pictures = np.ascontiguousarray(x, dtype=np.float32)
    if pictures.ndim != 4:
        raise ShapeError(f"Pictures come as (n, height, width, channels); received an array of {pictures.shape}.")
    if not len(pictures):
        raise ShapeError("There are no pictures in the array.")
    labels = np.zeros(len(pictures), np.int64) if y is None else labels_of(y, len(pictures))
    _, height, width, channels = pictures.shape
    index = np.arange(len(pictures))
    as_they_are: Any = AsTheyAre((channels, height, width))
    loader = Loader(pictures, labels, index, as_they_are, batch=batch_size, seed=seed)
    return Flow(loader, num_classes=int(labels.max(initial=0)) + 1)


def labels_of(y: object, count: int) -> np.ndarray:
    """Labels as numbers of classes, int64 (n,), of numbers (n,) or (n, 1), or of one-hot rows (n, classes).

    Raises:
        ShapeError: not one for each picture.
        UsageError: numbers that are not whole or below 0, or rows that are not one-hot.
    """
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all()):
            raise UsageError(
                "Labels in several columns are one-hot, a single 1 in each row; soft labels are not learned."
            )
        labels = labels.argmax(1)
    elif labels.ndim == 2:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise ShapeError(f"There are {count} pictures and labels of shape {labels.shape}; one each would work.")
    try:
        whole = labels.astype(np.int64)
    except (TypeError, ValueError) as why:
        raise UsageError(f"Labels are numbers of classes from 0; received {labels[:3].tolist()}.") from why
    if not np.array_equal(whole, labels) or whole.min(initial=0) < 0:
        odd = labels[(whole != labels) | (whole < 0)][0]
        raise UsageError(f"Labels are whole numbers of classes from 0; received {odd}.")
    return whole

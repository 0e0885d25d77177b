"""Pictures for people who bring their own loop: a plain `torch.utils.data.Dataset` of (tensor, label).

    train = sv.data.dataset("flowers", size=96, augment=sv.data.Augment(flip_horizontal=True, rotate=10))
    for x, y in torch.utils.data.DataLoader(train, batch_size=32, shuffle=True): ...

The same split, store, augmentation and preprocessing as `svertka train`; whatever the number of workers and the size of
batches, a picture is varied in a pass in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from svertka.data.prepare import decode, divide
from svertka.data.sources.open import open_source
from svertka.data.sources.survey import survey
from svertka.errors import DataError, UnknownName, UsageError
from svertka.kinds.image import Preprocess
from svertka.kinds.image.augment.augment import Augment

PARTS = ("train", "validation", "test")


class PictureDataset(Dataset[tuple[Tensor, int]]):
    """(x, y) of each picture of a part: x float (c, h, w), normalized, and y the index of its class.

    Attributes:
        classes: names, in natural order; class_indices: name -> y.
        preprocess: how pixels become x.
        paths: of each picture.
        epoch: the pass that augmentation is keyed by. It moves on by itself, each time a picture is taken, in workers
            too; set it to go back to a pass.
    """

    def __init__(
        self, pixels: np.ndarray, labels: np.ndarray, index: np.ndarray, preprocess: Preprocess, classes: Sequence[str],
        paths: Sequence[str], augment: Augment, seed: int,
    ) -> None:  # fmt: skip
        self.pixels, self.labels, self.index = pixels, labels, index
        self.preprocess, self.classes, self.augment, self.seed = preprocess, tuple(classes), augment, seed
        self.class_indices = {name: number for number, name in enumerate(self.classes)}
        self.paths = tuple(paths)
        self._taken = torch.zeros(len(index), dtype=torch.int64).share_memory_()  # how often each; all workers see it

    @property
    def epoch(self) -> int:
        """The pass that is on: how often every picture was taken."""
        return int(self._taken.min())

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._taken.fill_(number)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return self.__getitems__([i])[0]

    def __getitems__(self, some: Sequence[int]) -> list[tuple[Tensor, int]]:
        """What torch's DataLoader asks for where it can: a batch at once, so that it is varied at once."""
        index = self.index[np.asarray(some, dtype=np.int64)]
        pixels, samples = torch.from_numpy(self.pixels[index]), torch.from_numpy(index)  # (b, h, w, c)
        x = self.preprocess.normalize(self._varied(pixels, samples, torch.as_tensor(some) % len(self)))  # (b, c, h, w)
        return list(zip(x.contiguous(), self.labels[index].tolist(), strict=True))

    def _varied(self, pixels: Tensor, samples: Tensor, places: Tensor) -> Tensor:
        if self.augment.none:
            return pixels
        passes = self._taken[places]
        self._taken.index_add_(0, places, torch.ones_like(places))
        for number in passes.unique().tolist():
            now = passes == number
            pixels[now] = self.augment(pixels[now], samples[now], self.seed, number)
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        """For workers that are started afresh: the place of the pixels where it is known, not the pixels."""
        state = self.__dict__.copy()
        # a store that was built by this very process has moved to its place since it was opened
        if isinstance(self.pixels, np.memmap) and Path(str(self.pixels.filename)).is_file():
            state["pixels"] = (str(self.pixels.filename), self.pixels.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.pixels, tuple):
            self.pixels = np.memmap(self.pixels[0], np.uint8, "c", shape=self.pixels[1])


def dataset(
    where: str | Path | Sequence[str | Path],
    *,
    size: int,
    part: str = "train",
    fit: str = "crop",
    augment: Augment | None = None,
    share: float | None = None,
    seed: int = 0,
    group_by: str | None = None,
) -> PictureDataset:
    """The pictures of one part of a folder, archive or built-in set, as a plain PyTorch Dataset.

    Args:
        where: what `svertka train` takes.
        size: side of the square that pictures are brought to, in pixels.
        part: "train", "validation" or "test"; validation is cut from train where no folder holds it.
        fit: what happens to other aspect ratios: "stretch", "crop" or "pad".
        augment: how pictures of the training part are varied; the other parts never are.
        share: of the training pictures that becomes validation, as in `svertka train`.
        seed: of split and augmentation.
        group_by: a column or a pattern on the path, as in `svertka train`.

    Raises:
        DataError: no usable pictures there, or none in that part.
        UsageError: another part is to be varied.
    """
    if part not in PARTS:
        raise UnknownName("part", part, PARTS)
    if augment is not None and part != "train":
        raise UsageError(
            f"Only the training part is varied, or its {part} figures would mean nothing; leave out augment."
        )
    if augment is not None and augment.mixes:
        raise UsageError("MixUp and CutMix make shares of classes, and this gives one label a picture; leave them out.")
    source = open_source(where, group_by=group_by)
    preprocess = Preprocess(size, size, 3 if survey(source).color else 1, fit)
    store = decode(source, preprocess)
    manifest = divide(source, store, seed=seed, share=share).manifest
    index = manifest.indices(part)
    if not len(index):
        raise DataError(f"{source.where} has no readable picture in its {part} part.")
    paths = [manifest.paths[i] for i in index]
    return PictureDataset(
        store.pixels, manifest.labels, index, preprocess, source.classes, paths, augment or Augment(), seed
    )

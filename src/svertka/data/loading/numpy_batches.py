"""Labeled pictures as numpy batches by `next()`, for people who bring their own loop in the lectures' spirit.

    train = sv.data.batches("flowers", target_size=(96, 96), validation_split=0.25, subset="training", seed=1)
    x, y = next(train)  # (32, 96, 96, 3), (32, classes)

A `Flow` is endless, its arguments are those of Keras' `flow_from_directory`, and what it gives is what a
`svertka.data.Loader` gives: the same split, store and augmentation as in `svertka train`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from svertka.data.folders.part_names import VALIDATION
from svertka.data.loading.loader import Batch, Loader
from svertka.data.prepare import decode, divide
from svertka.data.sources.open import open_source
from svertka.data.sources.source import Source
from svertka.data.sources.survey import survey
from svertka.data.splitting.manifest import Part
from svertka.data.store.store import Store
from svertka.errors import DataError, UnknownName, UsageError
from svertka.kinds.image import Preprocess
from svertka.kinds.image.augment.augment import Augment

CLASS_MODES = ("categorical", "binary", "sparse", None)
COLORS = {"rgb": 3, "grayscale": 1}
SUBSETS: dict[str, Part] = {"training": "train", "validation": "validation", "test": "test"}


class Flow:
    """Batches without end, a new order each pass; `len(flow)` is the number of batches in one."""

    def __init__(self, loader: Loader, num_classes: int, class_mode: str | None = "sparse") -> None:
        if class_mode not in CLASS_MODES:
            raise UnknownName("class_mode", str(class_mode), [mode for mode in CLASS_MODES if mode])
        self.loader, self.num_classes, self.class_mode = loader, num_classes, class_mode
        self.reset()

    def reset(self) -> None:
        """Begin again with the first pass."""
        self.stream: Iterator[Batch] = (batch for epoch in count() for batch in self.loader.epoch(epoch))

    @property
    def batch_size(self) -> int:
        """Pictures in a batch; the last of a pass may be smaller."""
        return self.loader.batch

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one picture."""
        return self.loader.preprocess.shape

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Flow:
        return self

    def __next__(self) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        batch = next(self.stream)
        features = batch.x.permute(0, 2, 3, 1).numpy()  # (n, h, w, c)
        labels = batch.y.numpy()
        match self.class_mode:
            case None:
                return features
            case "categorical":
                return features, np.eye(self.num_classes, dtype=np.float32)[labels]  # (n, classes)
            case _:
                return features, labels.astype(np.float32)  # (n,)


class PictureFlow(Flow):
    """The flow of labeled pictures.

    Attributes:
        class_indices: name of a class -> its number.
        classes: int32 (n,), the number of each picture's class.
        filenames: of each picture.
        samples, n: how many pictures there are.
    """

    def __init__(self, source: Source, index: np.ndarray, loader: Loader, class_mode: str | None) -> None:
        super().__init__(loader, len(source.classes), class_mode)
        self.class_indices = {name: number for number, name in enumerate(source.classes)}
        self.classes = source.labels[index]
        self.filenames = [source.paths[i] for i in index]
        self.samples = self.n = len(index)


def batches(
    where: str | Path | Sequence[str | Path],
    *,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float = 0.0,
    subset: str | None = None,
    rescale: float | None = None,
    augment: Augment | None = None,
    group_by: str | None = None,
) -> PictureFlow:
    """Batches of the pictures of any source, without end.

    Args:
        where: what `svertka train` takes.
        target_size: (height, width) that all are brought to.
        color_mode: "rgb" or "grayscale"; what the pictures are where None.
        class_mode: labels as "categorical" (one-hot), "sparse" or "binary" (number of the class), or None for none.
        batch_size: pictures in a batch.
        shuffle: in a new order each pass; else in theirs, and not varied.
        seed: of order and variation, not of the split.
        validation_split: share of the training pictures for subset="validation", where no part is given for it.
        subset: "training", "validation" or "test" part; all pictures where None.
        rescale: every number, 0 to 255, is multiplied by it.
        augment: how pictures are varied.
        group_by: as for `svertka train`.

    Raises:
        DataError: nothing usable there, or nothing in that part.
        UsageError: arguments that contradict each other.
    """
    if color_mode is not None and color_mode not in COLORS:
        raise UnknownName("color_mode", str(color_mode), COLORS)
    if subset is not None and subset not in SUBSETS:
        raise UnknownName("subset", str(subset), SUBSETS)
    if not (isinstance(target_size, tuple | list) and len(target_size) == 2):
        raise UsageError(f"target_size is (height, width), such as (96, 96); received {target_size!r}.")
    if not (isinstance(batch_size, int) and batch_size >= 1):
        raise UsageError(f"batch_size is a whole number from 1; received {batch_size!r}.")
    augment = augment or Augment()
    if not shuffle and not augment.none:
        raise UsageError("Pictures are varied only in a shuffled flow: leave out shuffle=False, or the variation.")
    source = open_source(where, group_by=group_by)
    if class_mode == "binary" and len(source.classes) != 2:
        raise UsageError(
            f"class_mode='binary' is for two classes, and {source.where} has {len(source.classes)}; 'sparse' gives "
            "their numbers, 'categorical' a column for each."
        )
    channels = COLORS[color_mode] if color_mode is not None else (3 if survey(source).color else 1)
    preprocess = unscaled(*target_size, channels, rescale)
    store = decode(source, preprocess)
    if store.reasons:
        first = min(store.reasons)
        warnings.warn(
            f"{len(store.reasons)} of {len(source)} files cannot be read and are left out; "
            f"the first is {source.paths[first]}: {store.reasons[first]}.",
            stacklevel=2,
        )
    index = _part(source, store, subset, validation_split)
    loader = Loader(
        store.pixels, source.labels, index, preprocess,
        batch=batch_size, seed=(seed or 0) if shuffle else None, augment=augment,
    )  # fmt: skip
    return PictureFlow(source, index, loader, class_mode)


def _part(source: Source, store: Store, subset: str | None, share: float) -> np.ndarray:
    """Which pictures take part; the cut depends on the pictures and the share alone."""
    if subset is None:
        if source.parts.any():
            raise DataError(
                f"{source.where} holds parts, not classes: name one of them, such as {source.where}/train, or choose "
                "by subset."
            )
        return np.flatnonzero(store.readable)
    part = SUBSETS[subset]
    if part != "test" and not share and not (source.parts == VALIDATION).any():
        raise UsageError(f"subset={subset!r} needs validation_split, such as 0.25: {source.where} has no such part.")
    index = divide(source, store, share=share or None).manifest.indices(part)
    if not len(index):
        raise DataError(f"{source.where} has no readable picture in its {part} part.")
    return index


def unscaled(height: int, width: int, channels: int, rescale: float | None = None) -> Preprocess:
    """Pixels as network input the way Keras leaves them: times `rescale`, nothing subtracted."""
    std = 1 / (255 * (rescale or 1.0))
    return Preprocess(height, width, channels, "stretch", mean=(0.0,) * channels, std=(std,) * channels)

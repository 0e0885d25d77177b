"""`ImageDataGenerator`: folders of pictures as batches, read and decoded once by `svertka.data`.

Differences from Keras, all to the better for who learns: the part for validation is drawn at random and the
same for every seed, so that training and validation never meet (Keras cuts off the first files by name);
pictures are scaled with smoothing (Keras: nearest pixel); unreadable files are left out and named; classes
are in natural order (2 before 10).
"""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np

from svertka.data import Source, Store, begin_store, make_manifest, open_source
from svertka.data.augment import Augment
from svertka.data.loader import Loader
from svertka.errors import DataError, RecipeError, UnknownName, UsageError
from svertka.keras.batches import Flow, unscaled

COLOURS = {"rgb": 3, "grayscale": 1}
SUBSETS = {"training": "train", "validation": "validation"}


class DirectoryIterator(Flow):
    """The flow of a folder; `class_indices` names its labels."""

    def __init__(self, source: Source, index: np.ndarray, loader: Loader, class_mode: str | None) -> None:
        super().__init__(loader, len(source.classes), class_mode)
        self.class_indices = {name: number for number, name in enumerate(source.classes)}
        self.classes = source.labels[index]
        self.filenames = [source.paths[i] for i in index]
        self.samples = self.n = len(index)


@dataclass(frozen=True)
class ImageDataGenerator:
    """How pictures are read and varied; off by default.

    rescale                   every number is multiplied by it (1/255 gives 0..1)
    validation_split          share of each class for subset="validation"
    horizontal_flip           mirror half of the pictures left to right
    vertical_flip             mirror half of the pictures top to bottom
    rotation_range            turn by up to so many degrees, both ways
    zoom_range                enlarge or shrink by up to this share
    shear_range               lean by up to so many degrees
    brightness_range          (least, most) factor of brightness
    width_shift_range, height_shift_range  move by up to this share of the side
    """

    _: KW_ONLY
    rescale: float | None = None
    validation_split: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation_range: float = 0
    zoom_range: float = 0.0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    brightness_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.rescale is not None and not self.rescale > 0:
            raise RecipeError(f"rescale is greater than 0, such as 1/255; received {self.rescale!r}.")
        if not 0 <= self.validation_split < 1:
            raise RecipeError(f"validation_split is a share of 1 below it; received {self.validation_split!r}.")
        for name in ("width_shift_range", "height_shift_range", "zoom_range"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"{name} is a share of 1 below it; received {getattr(self, name)!r}.")
        if self.brightness_range is not None and not min(self.brightness_range) >= 0:
            raise RecipeError(
                f"brightness_range is two factors from 0, such as (0.8, 1.2); received {self.brightness_range!r}."
            )

    @property
    def augment(self) -> Augment:
        """The same as `svertka.data` varies batches by it."""
        return Augment(
            flip=self.horizontal_flip,
            upend=self.vertical_flip,
            rotate=self.rotation_range,
            scale=self.zoom_range,
            shift=self.width_shift_range,
            shift_down=self.height_shift_range,
            shear=self.shear_range,
            brightness=0.0
            if self.brightness_range is None
            else (min(self.brightness_range), max(self.brightness_range)),
        )

    def flow_from_directory(
        self,
        directory: str | Path,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        subset: str | None = None,
    ) -> DirectoryIterator:
        """The pictures of a folder with one sub-folder per class.

        Args:
            directory: the folder (or an archive of it).
            target_size: (height, width) that all are brought to.
            color_mode: "rgb" or "grayscale".
            class_mode: labels as "sparse" (number of the folder), "categorical" (one-hot), "binary", or None.
            batch_size: pictures in a batch.
            shuffle: in a new order each pass; else by name, and not varied.
            seed: of order and variation.
            subset: "training" or "validation" part of validation_split; all pictures where None.

        Raises:
            DataError: no such folder, or nothing usable in it.
            UsageError: arguments that contradict each other.
        """
        if color_mode not in COLOURS:
            raise UnknownName("color_mode", str(color_mode), COLOURS)
        if not shuffle and not self.augment.none:
            raise UsageError("Pictures are varied only in a shuffled flow: leave out shuffle=False, or the variation.")
        source = open_source(directory)
        if source.parts.any():
            raise DataError(f"{directory} holds parts, not classes: name one of them, such as {directory}/train.")
        preprocess = unscaled(*target_size, COLOURS[color_mode], self.rescale)
        store = begin_store(source, preprocess).finish()
        index = self._part(source, store, subset)
        if store.reasons:
            first = min(store.reasons)
            warnings.warn(
                f"{len(store.reasons)} of {len(source)} files cannot be read and are left out; "
                f"the first is {source.paths[first]}: {store.reasons[first]}.",
                stacklevel=2,
            )
        print(f"Found {len(index)} images belonging to {len(source.classes)} classes.")
        loader = Loader(
            store.pixels, source.labels, index, preprocess,
            batch=batch_size, seed=(seed or 0) if shuffle else None, augment=self.augment,
        )  # fmt: skip
        return DirectoryIterator(source, index, loader, class_mode)

    def _part(self, source: Source, store: Store, subset: str | None) -> np.ndarray:
        """Which pictures take part; the cut depends on the pictures and the share alone."""
        if subset is None:
            return np.flatnonzero(store.readable & (source.labels >= 0))
        if subset not in SUBSETS:
            raise UnknownName("subset", str(subset), SUBSETS)
        if not self.validation_split:
            raise UsageError(f"subset={subset!r} needs ImageDataGenerator(validation_split=...), such as 0.25.")
        return make_manifest(source, store, share=self.validation_split).indices(SUBSETS[subset])

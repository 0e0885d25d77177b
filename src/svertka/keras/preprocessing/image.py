"""`ImageDataGenerator`: folders of pictures as batches, read and decoded once by `svertka.data`.

Differences from Keras, all to the better for who learns: the part for validation is drawn at random and the
same for every seed, so that training and validation never meet (Keras cuts off the first files by name);
pictures are scaled with smoothing (Keras: nearest pixel); unreadable files are left out and named; classes
are in natural order (2 before 10).
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from svertka.data.loading.loader import Loader
from svertka.data.loading.numpy_batches import Flow, PictureFlow, batches, unscaled
from svertka.errors import DataError, ReadError, RecipeError, ShapeError, UsageError
from svertka.keras.batches import labels_of
from svertka.keras.missing import check_arguments, getter
from svertka.kinds.image import decode
from svertka.kinds.image.augment.augment import Augment


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

    def __new__(cls, *args: Any, **arguments: Any) -> ImageDataGenerator:
        """Arguments that only Keras has are refused by name."""
        check_arguments(cls, arguments)
        return super().__new__(cls)

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
            flip_horizontal=self.horizontal_flip,
            flip_vertical=self.vertical_flip,
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
    ) -> PictureFlow:
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
        if subset is not None and not self.validation_split:
            raise UsageError(f"subset={subset!r} needs ImageDataGenerator(validation_split=...), such as 0.25.")
        flow = batches(
            directory,
            target_size=target_size,
            color_mode=color_mode,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            validation_split=self.validation_split,
            subset=subset,
            rescale=self.rescale,
            augment=self.augment,
        )
        print(f"Found {flow.samples} images belonging to {len(flow.class_indices)} classes.")
        return flow

    def flow(
        self,
        x: object,
        y: object = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        subset: str | None = None,
    ) -> Flow:
        """Arrays as batches, varied as the generator says.

        Args:
            x: pictures (n, height, width, channels) of whole numbers 0 to 255.
            y: labels (n,), or one-hot (n, classes); may be missing for `predict`.
            batch_size: pictures in a batch.
            shuffle: in a new order each pass; else in theirs, and not varied.
            seed: of order and variation.
            subset: "training" or "validation" part of validation_split, the last of them, as in Keras.

        Raises:
            ShapeError: arrays of other shapes.
            UsageError: other numbers, or arguments that contradict each other.
        """
        pictures = _whole_pixels(x)
        labels = np.zeros(len(pictures), np.int64) if y is None else labels_of(y, len(pictures))
        if not shuffle and not self.augment.none:
            raise UsageError("Pictures are varied only in a shuffled flow: leave out shuffle=False, or the variation.")
        _, height, width, channels = pictures.shape
        loader = Loader(
            pictures, labels, self._part_of(len(pictures), subset), unscaled(height, width, channels, self.rescale),
            batch=batch_size, seed=(seed or 0) if shuffle else None, augment=self.augment,
        )  # fmt: skip
        return Flow(loader, num_classes=int(labels.max(initial=0)) + 1)

    def _part_of(self, count: int, subset: str | None) -> np.ndarray:
        if subset is None:
            return np.arange(count)
        if subset not in ("training", "validation"):
            raise UsageError(f"subset is 'training' or 'validation'; received {subset!r}.")
        at = int(count * (1 - self.validation_split))
        if not self.validation_split or not 0 < at < count:
            raise UsageError(
                f"subset={subset!r} needs ImageDataGenerator(validation_split=...) that leaves both sides."
            )
        return np.arange(at) if subset == "training" else np.arange(at, count)

    def fit(self, x: object) -> None:
        """Nothing: what this generator does needs no statistics of the pictures."""


def _whole_pixels(x: object) -> np.ndarray:
    """Pictures as uint8 (n, h, w, c).

    Raises:
        ShapeError: another shape.
        UsageError: numbers that are not whole or not between 0 and 255.
    """
    pictures = np.asarray(x)
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or not len(pictures):
        raise ShapeError(
            f"Pictures come as (n, height, width, 1 or 3 channels); received an array of {pictures.shape}."
        )
    if pictures.dtype == np.uint8:
        return pictures
    low, high = float(pictures.min()), float(pictures.max())
    if not 0 <= low <= high <= 255 or not np.array_equal(pictures, np.rint(pictures)):
        raise UsageError(
            f"flow() takes whole numbers 0 to 255 and varies these; received {pictures.dtype} from {low:g} to "
            f"{high:g}. Leave the pictures as they were read, and scale by ImageDataGenerator(rescale=1/255)."
        )
    return pictures.astype(np.uint8)


def load_img(path: str | Path, color_mode: str = "rgb", target_size: tuple[int, int] | None = None) -> Image.Image:
    """A picture file as a PIL picture, upright.

    Args:
        path: the file.
        color_mode: "rgb" or "grayscale".
        target_size: (height, width) that it is brought to.

    Raises:
        DataError: it cannot be read as a picture.
        UsageError: another color_mode.
    """
    if color_mode not in ("rgb", "grayscale"):
        raise UsageError(f"color_mode is 'rgb' or 'grayscale'; received {color_mode!r}.")
    try:
        pixels = decode(Path(path).read_bytes(), str(path))
    except (ReadError, OSError) as why:
        raise DataError(f"{path} cannot be read as a picture: {getattr(why, 'reason', why)}.") from why
    image = Image.fromarray(pixels).convert("RGB" if color_mode == "rgb" else "L")
    return image if target_size is None else image.resize((target_size[1], target_size[0]), Image.Resampling.BILINEAR)


def img_to_array(image: Image.Image) -> np.ndarray:
    """A PIL picture as float32 (height, width, channels), 0 to 255."""
    pixels = np.asarray(image, np.float32)
    return pixels[..., None] if pixels.ndim == 2 else pixels


__getattr__ = getter(__name__, ["ImageDataGenerator", "img_to_array", "load_img"])

"""`ImageDataGenerator`: folders of pictures as batches, read and decoded once by `svertka.data`.

Differences from Keras, all to the better for who learns: the part for validation is drawn at random and the
same for every seed, so that training and validation never meet (Keras cuts off the first files by name);
pictures are scaled with smoothing (Keras: nearest pixel); unreadable files are left out and named; classes
are in natural order (2 before 10).
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from svertka.data.loading.numpy_batches import PictureFlow, batches
from svertka.errors import RecipeError, UsageError
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

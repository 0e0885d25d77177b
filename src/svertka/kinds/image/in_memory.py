"""Pictures that are in memory already: arrays, tensors and Pillow's, by written rules.

An array is (h, w), (h, w, 1) gray, (h, w, 3) RGB or (h, w, 4) RGB with opacity, which is shown on white; its numbers
are uint8 from 0 to 255, or floats from 0 to 1. All else is refused: a guess would be wrong in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from svertka.errors import ReadError, UsageError
from svertka.kinds.image.color_modes import Pixels, to_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS = (1, 3, 4)
RULE = "a picture is (h, w), (h, w, 1), (h, w, 3) in RGB or (h, w, 4), of uint8 from 0 to 255 or floats from 0 to 1"


def is_picture(value: Any) -> bool:
    """Whether a value is a picture, or several in one array, by its type: an array, a tensor or one of Pillow's."""
    return isinstance(value, Image.Image) or (
        not isinstance(value, str | bytes | np.generic) and hasattr(value, "__array__") and hasattr(value, "dtype")
    )


def as_array(value: Any) -> NDArray[Any]:
    """An array, or a tensor on any device, as an array; bfloat16, which numpy lacks, as float32.

    Raises:
        UsageError: it holds no plain numbers.
    """
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as why:
        raise UsageError(f"A {type(value).__name__} of this form is no array of numbers ({why}).") from why


def check(array: NDArray[Any], name: str, dims: tuple[int, ...] = (2, 3)) -> None:
    """Refuse an array that is no picture, or with `dims` (4,) no pictures (n, h, w, c).

    Raises:
        UsageError: says shape, type and range, the rule, and what would work where that is clear.
    """
    shape, kind = array.shape, array.dtype
    fits = array.ndim in dims and (array.ndim == 2 or shape[-1] in CHANNELS) and 0 not in shape[-3:]
    good = kind == np.uint8 or (kind.kind == "f" and _in_range(array))
    if fits and good:
        return
    hint = _other_shape(shape) if not fits else _other_type(array)
    found = f"shape {shape}, {kind}{_range(array)}"
    raise UsageError(f"{name} has {found}; {RULE}.{hint}")


def pixels_of(value: Any, name: str) -> Pixels:
    """A picture in memory as uint8 (h, w) if it is gray, else RGB (h, w, 3).

    Raises:
        UsageError: an array of another form; see the rule above.
        ReadError: a file that Pillow had only opened cannot be read.
    """
    if isinstance(value, Image.Image):
        try:
            return to_array(ImageOps.exif_transpose(value))
        except Exception as why:  # Pillow reads now: a damaged file provokes anything
            raise ReadError(name, f"it cannot be read as a picture ({why})") from why
    array = as_array(value)
    check(array, name)
    if array.dtype != np.uint8:
        array = np.rint(array * np.float32(255)).astype(np.uint8)
    if array.ndim == 2 or array.shape[2] == 3:
        return np.ascontiguousarray(array)
    if array.shape[2] == 1:
        return np.ascontiguousarray(array[..., 0])
    return to_array(Image.fromarray(np.ascontiguousarray(array)))  # (h, w, 4)


def _in_range(array: NDArray[Any]) -> bool:
    return not array.size or bool(array.min() >= 0 and array.max() <= 1)  # NaN is neither


def _range(array: NDArray[Any]) -> str:
    if array.size and array.dtype.kind in "biuf":
        return f" from {array.min():g} to {array.max():g}" if array.dtype.kind != "b" else ""
    return ""


def _other_shape(shape: tuple[int, ...]) -> str:
    if 0 in shape:
        return " This one is empty."
    if len(shape) in (3, 4) and shape[-3] in CHANNELS and shape[-1] not in CHANNELS:
        order = "1, 2, 0" if len(shape) == 3 else "0, 2, 3, 1"
        return f" Where channels stand first, x.transpose({order}), or x.permute({order}) of a tensor, puts them last."
    if len(shape) == 3:
        return " Many gray pictures (n, h, w) are given as x[..., None] or list(x)."
    return ""


def _white(high: float) -> float:
    """The brightest that there can be, as far as the brightest that there is tells."""
    return next((white for white in (255, 4095, 65535) if high <= white and high > white / 8), high)


def _other_type(array: NDArray[Any]) -> str:
    if array.dtype.kind in "biuf" and array.size and np.isfinite(array).all():
        low, high = array.min(), array.max()
        if array.dtype.kind in "iu" and low >= 0 and high <= 255:
            return " Where 255 is white, x.astype('uint8') is such a picture."
        if low >= 0 and high > 0:
            return f" x / {_white(float(high)):g} is one, where {_white(float(high)):g} is white."
    return ""

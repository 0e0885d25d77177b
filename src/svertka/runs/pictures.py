"""The pictures that a run folder keeps for its report, and what was seen in them; the shapes are checked on reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svertka.errors import RunError
from svertka.runs import layout
from svertka.runs.files import read_npz, within

Array = np.ndarray[Any, Any]

SAMPLES = "uint8 k h w c|float k length channels"  # pictures, or series
EXAMPLES = {
    "pixels": SAMPLES, "index": "int k",
    "original?": "uint8 height width channels", "original_size?": "int 2", "original_of?": "int",
}  # fmt: skip
CHECKED = {"paths": "text k", "pixels": SAMPLES}
EXPLANATIONS = {  # explanation/report_album.py makes them
    "heat_place": "int k", "heat_target": "int k", "heat_rival": "int k", "heat_share": "float k 2",
    "heat_own": "uint8 k a b", "heat_against": "uint8 k a b", "heat_layer": "text",
    "filters?": "uint8 f fh fw fc", "maps_sample?": "int", "maps_layers?": "text m",
    "field_layers?": "text r", "field_effective?": "uint8 eh ew", "field_watched?": "text",
    "patch_layer?": "text", "patch_channel?": "int p", "patch_place?": "int p q", "patch_box?": "int p q 4",
    "slow_place?": "int s", "slow_target?": "int s", "slow_own?": "uint8 s sa sb", "slow_channels?": "int",
    "imagined?": "uint8 i h w c", "imagined_channel?": "int i",
    "check_method?": "text t", "check?": "number t 3", "check_pictures?": "int",
    "took?": "float", "allowed?": "float", "left_out?": "text l",
}  # fmt: skip
TOGETHER = (  # members of which a file holds all or none
    ("original", "original_size", "original_of"),
    ("field_layers", "field_box", "field_effective", "field_watched"),
    ("maps_layers", "maps_sample"),
    ("patch_layer", "patch_channel", "patch_place", "patch_box"),
    ("slow_place", "slow_target", "slow_own"),
    ("check", "check_method", "check_pictures"),
    ("asked", "similar", "cosine", "pixels"),
)
MAP = {  # pipeline/ladder/embedding_map.py makes them
    "index": "int n", "points": "float n 2", "near?": "float n 2", "axes?": "float n a", "share?": "float",
    "asked?": "int q", "similar?": "int q s", "cosine?": "float q s", "pixels?": "uint8 q shown h w c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures as the network sees them: `pixels` uint8 (k, h, w, c), `index` (k,) into the manifest.

    original   one of them as it was, reduced: uint8 (h', w', 1 or 3); None in runs that kept none
    size       its true height and width
    of         which one, a place in `pixels`
    """

    pixels: Array
    index: Array
    original: Array | None = None
    size: tuple[int, int] = (0, 0)
    of: int = 0


def read_examples(run: Path, files: int) -> Examples | None:
    """The examples of a run whose manifest has so many files; None where it keeps none.

    Raises:
        RunError: they are damaged.
    """
    path = run / layout.EXAMPLES
    arrays = read_npz(path, EXAMPLES)
    if not arrays:
        return None
    pixels, index = arrays["pixels"], arrays["index"]
    _pictures(path, pixels)
    within(path, "index", index, files, "files of the manifest")
    if "original" not in arrays:
        return Examples(pixels, index)
    _together(path, arrays, TOGETHER[0])
    original, (height, width) = arrays["original"], map(int, arrays["original_size"])
    _pictures(path, original)
    within(path, "original_of", arrays["original_of"], len(pixels), "pictures")
    if min(height, width) < 1:
        raise RunError(f"{path} is damaged: `original_size` is {height}, {width}.")
    return Examples(pixels, index, original, (height, width), int(arrays["original_of"]))


def read_checked(run: Path) -> dict[str, Array]:
    """The pictures that belong to the findings of the check, by path; none where there are none.

    Raises:
        RunError: they are damaged.
    """
    path = run / layout.CHECK_PICTURES
    arrays = read_npz(path, CHECKED)
    if not arrays:
        return {}
    _pictures(path, arrays["pixels"])
    return dict(zip(arrays["paths"].tolist(), arrays["pixels"], strict=True))


def read_explanations(run: Path, examples: Examples | None, classes: int) -> dict[str, Array]:
    """What the network looked at in the examples; nothing where that was not made, or the examples are gone.

    Raises:
        RunError: it is damaged, or does not fit the examples and the classes.
    """
    path = run / layout.EXPLANATIONS
    if examples is None:
        return {}
    try:
        arrays = read_npz(path, EXPLANATIONS)
        if arrays:
            _check_explanations(path, arrays, examples.pixels, classes)
    except RunError as why:
        raise RunError(f"{why} Delete the file, and `svertka report` makes it again.") from why
    return arrays


def read_map(run: Path, files: int) -> dict[str, Array]:
    """The map of the pictures of a run whose manifest has so many files; nothing where there is none.

    Raises:
        RunError: it is damaged.
    """
    path = run / layout.MAP
    try:
        arrays = read_npz(path, MAP)
        for name in ("index", "asked", "similar"):
            if name in arrays:
                within(path, name, arrays[name], files, "files of the manifest")
        if "axes" in arrays and arrays["axes"].shape[1] < 2:
            raise RunError(f"{path} is damaged: `axes` are fewer than 2.")
        if "asked" in arrays:
            _together(path, arrays, TOGETHER[-1])
            _pictures(path, arrays["pixels"])
            if arrays["pixels"].shape[1] != 1 + arrays["similar"].shape[1]:
                raise RunError(f"{path} is damaged: `pixels` do not fit `similar`.")
    except RunError as why:
        raise RunError(f"{why} Without this file the report leaves the map out.") from why
    return arrays


def _check_explanations(path: Path, arrays: dict[str, Array], pixels: Array, classes: int) -> None:
    if not len(arrays["heat_place"]):
        raise RunError(f"{path} is damaged: `heat_place` is empty.")
    bounds = {
        **dict.fromkeys(("heat_place", "maps_sample", "patch_place", "slow_place"), (len(pixels), "examples")),
        **dict.fromkeys(("heat_target", "heat_rival", "slow_target"), (classes, "classes")),
    }
    for name, (size, what) in bounds.items():
        if name in arrays:
            within(path, name, arrays[name], size, what)
    for names in TOGETHER[1:-1]:
        if any(name in arrays for name in names):
            _together(path, arrays, names)
    for name in ("heat_own", "heat_against", "slow_own", "field_effective"):
        if name in arrays and 0 in arrays[name].shape:
            raise RunError(f"{path} is damaged: `{name}` is empty.")
    fields = arrays.get("field_layers")
    if fields is not None and ("maps_sample" not in arrays or arrays["field_box"].size != 4 * len(fields)):
        raise RunError(f"{path} is damaged: `field_box` does not fit `field_layers`.")
    for name in ("filters", "imagined"):
        if name in arrays:
            _pictures(path, arrays[name], like=name)
    for k in range(len(arrays.get("maps_layers", ()))):
        nothing = np.zeros(0)
        maps, channels = arrays.get(f"maps_{k}", nothing), arrays.get(f"maps_{k}_channels", nothing)
        fits = maps.dtype == np.uint8 and maps.ndim == 3 and maps.size and channels.dtype.kind in "iu"
        if not fits or channels.shape != (len(maps) + 1,):
            raise RunError(f"{path} is damaged: `maps_{k}` do not fit their channels.")


def _pictures(path: Path, pixels: Array, like: str = "pixels") -> None:
    """Refuse what cannot be drawn: (..., h, w, 1 or 3) without an empty side."""
    series = pixels.dtype.kind == "f" and 0 not in pixels.shape
    if not series and (pixels.shape[-1] not in (1, 3) or 0 in pixels.shape[-3:]):
        raise RunError(f"{path} is damaged: `{like}` are no pictures, of shape {pixels.shape}.")


def _together(path: Path, arrays: dict[str, Array], names: tuple[str, ...]) -> None:
    if not arrays.keys() >= set(names):
        raise RunError(f"{path} is damaged: {', '.join(names)} belong together.")

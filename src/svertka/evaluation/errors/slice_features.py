"""What may matter about a picture beside what it shows: columns for `slices`, from what the store has measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from svertka.evaluation.errors.slices import Column
from svertka.kinds.image.metadata import FORMATS


def columns(
    facts: np.ndarray,
    sizes: np.ndarray,
    digests: np.ndarray,
    paths: Sequence[str],
    names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    learned: np.ndarray | None = None,
) -> dict[str, Column]:
    """Facts in words -> (n,), of n pictures.

    Args:
        facts: FACTS (n,) of the store.
        sizes: (n, 2), height and width of the files.
        digests: uint8 (n, 16), of the bytes of the files.
        paths: of the files.
        names: of their classes.
        groups: whom each belongs to, such as a patient, where that is known.
        learned: uint8 (m, 16), digests of the pictures that the model learned from, where they are known.
    """
    height, width = sizes[:, 0].astype(float), sizes[:, 1].astype(float)
    border = facts["border"].astype(float)  # (n, 3)
    tint = border - border.mean(1, keepdims=True)
    found: dict[str, Column] = {
        "size in pixels": height * width,
        "width by height": np.round(width / np.maximum(height, 1), 3),
        "brightness": facts["mean"].astype(float),
        "contrast": facts["deviation"].astype(float),
        "sharpness": facts["sharpness"].astype(float),
        "even area": facts["even"].astype(float),
        "border brightness": border.mean(1),
        **{f"border {name}": tint[:, k] for k, name in enumerate(("redness", "greenness", "blueness"))},
        "JPEG quality": facts["quality"].astype(int),
        "format": np.array([FORMATS[f] if f < len(FORMATS) else "other" for f in facts["format"].tolist()]),
        "camera": np.array([f"{c:08x}" if c else "" for c in facts["camera"].tolist()]),  # a checksum of its name
        "folder": np.array([_below_class(p, c) for p, c in zip(paths, names, strict=True)]),
        "copies of another": _twice(digests),
    }
    if groups is not None:
        found["group"] = np.array(groups)
    if learned is not None and len(learned):
        known = set(_keys(learned).tolist())
        found["learned from as well"] = np.array(["yes" if k in known else "no" for k in _keys(digests).tolist()])
    return found


def _below_class(path: str, name: str) -> str:
    """The folder in the class's own folder where a file lies; none where it lies there itself."""
    parts = PurePosixPath(path).parts[:-1]
    return "/".join(parts[parts.index(name) + 1 :]) if name in parts else "/".join(parts)


def _twice(digests: np.ndarray) -> Column:
    _, place, count = np.unique(_keys(digests), return_inverse=True, return_counts=True)
    return np.where(count[place.ravel()] > 1, "yes", "no")


def _keys(digests: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(digests).view("V16").reshape(len(digests))

"""What may matter about a sample beside what it shows: columns for `slices`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from svertka.common.digests import whole_keys
from svertka.evaluation.errors.slices import Column


def columns(
    measured: Mapping[str, Column],
    digests: np.ndarray,
    paths: Sequence[str],
    names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    learned: np.ndarray | None = None,
) -> dict[str, Column]:
    """Facts in words -> (n,), of n samples.

    Args:
        measured: what the kind of sample makes of the store's statistics (`Kind.slices`).
        digests: uint8 (n, 16), of the bytes of the files.
        paths: of the files.
        names: of their classes.
        groups: whom each belongs to, such as a patient, where that is known.
        learned: uint8 (m, 16), digests of the pictures that the model learned from, where they are known.
    """
    found: dict[str, Column] = {
        **measured,
        "folder": np.array([_below_class(p, c) for p, c in zip(paths, names, strict=True)]),
        "copies of another": _twice(digests),
    }
    if groups is not None:
        found["group"] = np.array(groups)
    if learned is not None and len(learned):
        known = set(whole_keys(learned).tolist())
        found["learned from as well"] = np.array(["yes" if k in known else "no" for k in whole_keys(digests).tolist()])
    return found


def _below_class(path: str, name: str) -> str:
    """The folder in the class's own folder where a file lies; none where it lies there itself."""
    parts = PurePosixPath(path).parts[:-1]
    return "/".join(parts[parts.index(name) + 1 :]) if name in parts else "/".join(parts)


def _twice(digests: np.ndarray) -> Column:
    _, place, count = np.unique(whole_keys(digests), return_inverse=True, return_counts=True)
    return np.where(count[place.ravel()] > 1, "yes", "no")

"""What is no part of a picture and may give its class away, or decide whether a network is right."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from svertka.kinds.base import Array, Columns
from svertka.kinds.image.metadata import FORMATS

LEAST = 24  # pixels of a side below which a border is no border but half of the picture
_CAMERAS = 15  # the most frequent ones, which are told apart
_LOOKED_AT = ("sharpness", "deviation", "even", "mean", "quality", "format", "border", "camera")


def shortcuts(columns: Columns, file_sizes: Array | None, stored: tuple[int, ...]) -> dict[str, list[Array]]:
    """Each kind of fact as its columns (n,)."""
    facts = {name: columns[name] for name in _LOOKED_AT}
    height, width = np.maximum(1, columns.sizes.astype(np.float64)).T
    return {
        "file size": [] if file_sizes is None else [_unexplained(np.log(file_sizes), facts, np.log(height * width))],
        "JPEG quality": [facts["quality"]],
        "file format": [facts["format"]],
        "picture size": [height, width],
        "aspect ratio": [np.round(np.log(width / height), 2)],
        "border color": list(facts["border"].T) if min(stored[:2]) >= LEAST else [],
        "camera": [_frequent(facts["camera"])],
    }


def slices(columns: Columns) -> dict[str, Array]:
    """Facts in words -> (n,), by which results are cut."""
    height, width = columns.sizes.T.astype(float)
    border = columns["border"].astype(float)  # (n, 3)
    tint = border - border.mean(1, keepdims=True)
    formats = [FORMATS[f] if f < len(FORMATS) else "other" for f in columns["format"].tolist()]
    return {
        "size in pixels": height * width,
        "width by height": np.round(width / np.maximum(height, 1), 3),
        "brightness": columns["mean"].astype(float),
        "contrast": columns["deviation"].astype(float),
        "sharpness": columns["sharpness"].astype(float),
        "even area": columns["even"].astype(float),
        "border brightness": border.mean(1),
        **{f"border {name}": tint[:, k] for k, name in enumerate(("redness", "greenness", "blueness"))},
        "JPEG quality": columns["quality"].astype(int),
        "format": np.array(formats),
        "camera": np.array([f"{c:08x}" if c else "" for c in columns["camera"].tolist()]),  # a checksum of its name
    }


def _unexplained(log_bytes: Array, facts: Mapping[str, Array], log_area: Array) -> Array:
    """File sizes beyond what the picture explains (least squares): a plain thing makes a small file, and rightly."""
    explained = [
        np.ones(len(log_area)),
        log_area,
        np.log1p(facts["sharpness"]),
        np.log1p(facts["deviation"]),
        facts["even"],
        facts["mean"] / 255,
        np.square(facts["mean"] / 255),
    ]
    x = np.stack(explained, 1).astype(np.float64)
    weights, *_ = np.linalg.lstsq(x, log_bytes, rcond=None)
    return np.round(log_bytes - x @ weights, 6)


def _frequent(names: Array) -> Array:
    """Numbers of the most frequent names; 0 for all others."""
    _, number, counts = np.unique(names, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(rank < _CAMERAS, rank + 1, 0)[number]

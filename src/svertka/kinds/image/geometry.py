"""Where a picture lies in the input of a network, and the way back from there to the picture's own pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from svertka.kinds.image.preprocess import Preprocess

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Lie(NamedTuple):
    """A part of the picture fills a part of the input.

    box    left, top, right, bottom in pixels of the picture
    inner  left, top, width, height in pixels of the input
    """

    box: tuple[float, float, float, float]
    inner: tuple[int, int, int, int]


def lie(preprocess: Preprocess, height: int, width: int) -> Lie:
    """Which part of a picture of this size comes into the input, and where.

    >>> from svertka.kinds.image import Preprocess
    >>> lie(Preprocess(100, 100, 3, "crop"), 100, 200)
    Lie(box=(50.0, 0.0, 150.0, 100.0), inner=(0, 0, 100, 100))
    >>> lie(Preprocess(100, 100, 3, "pad"), 100, 200).inner
    (0, 25, 100, 50)
    """
    across, down = preprocess.width / width, preprocess.height / height
    whole, inner = (0.0, 0.0, float(width), float(height)), (0, 0, preprocess.width, preprocess.height)
    if preprocess.fit == "stretch":
        return Lie(whole, inner)
    if preprocess.fit == "crop":
        scale = max(across, down) / preprocess.zoom
        # rounding may take a margin below 0, which Pillow refuses
        margin_x = max(0.0, (width - preprocess.width / scale) / 2)
        margin_y = max(0.0, (height - preprocess.height / scale) / 2)
        return Lie((margin_x, margin_y, width - margin_x, height - margin_y), inner)
    scale = min(across, down)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Lie(whole, ((preprocess.width - size[0]) // 2, (preprocess.height - size[1]) // 2, *size))


def back(values: Floats, preprocess: Preprocess, height: int, width: int) -> Floats:
    """Numbers that lie over the input, (h, w) of any resolution, brought to the picture: (height, width).

    Linear between the centers of the numbers; 0 where the network did not see the picture.

    >>> from svertka.kinds.image import Preprocess
    >>> back(np.ones((3, 3), np.float32), Preprocess(8, 8, 1, "crop"), 2, 4)
    array([[0., 1., 1., 0.],
           [0., 1., 1., 0.]], dtype=float32)
    """
    box, inner = lie(preprocess, height, width)
    rows = _weights(height, box[1], box[3], inner[1], inner[3], preprocess.height, values.shape[0])  # (height, h)
    columns = _weights(width, box[0], box[2], inner[0], inner[2], preprocess.width, values.shape[1])  # (width, w)
    found: Floats = rows @ values.astype(np.float32) @ columns.T  # (height, width)
    return found


def _weights(pixels: int, start: float, end: float, first: int, length: int, side: int, cells: int) -> Floats:
    """How much each of `cells` numbers over `side` pixels of input counts at each pixel of the picture."""
    along = (np.arange(pixels) + 0.5 - start) / (end - start)  # 0 to 1 where the network saw the picture
    cell = np.clip((first + along * length) / side * cells - 0.5, 0, cells - 1)
    hats = np.maximum(0, 1 - np.abs(cell[:, None] - np.arange(cells)))  # (pixels, cells)
    seen = (along >= 0) & (along < 1)
    weights: Floats = (hats * seen[:, None]).astype(np.float32)
    return weights

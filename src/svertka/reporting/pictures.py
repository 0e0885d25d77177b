"""A picture inside the page: uint8 pixels -> a data URI."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from svertka.reporting.charts import raster

TINY = 64  # up to this side a picture is kept exactly (PNG) and enlarged as squares
LARGEST = 256  # no picture in the page is larger than this


def data_uri(pixels: np.ndarray, *, exact: bool | None = None) -> str:
    """One picture, uint8 (h, w, 1 or 3): as PNG, exactly, where it is tiny (or `exact` says so), else as JPEG."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    kind = "png" if (is_tiny(pixels) if exact is None else exact) else "jpeg"
    image.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    image.save(file, kind, **({"optimize": True} if kind == "png" else {"quality": 85}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def is_tiny(pixels: np.ndarray) -> bool:
    """Whether enlarging should show the single pixels."""
    return max(int(side) for side in pixels.shape[:2]) <= TINY


def shown(pixels: np.ndarray) -> dict[str, Any]:
    """A picture as the templates take it: its data, and whether it is tiny."""
    return {"uri": data_uri(pixels), "tiny": is_tiny(pixels)}


def heated(pixels: np.ndarray, heat: np.ndarray) -> dict[str, Any]:
    """Heat, uint8 (h', w') of any resolution, over a picture of the examples, as the templates take it."""
    gray = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("L")
    side = max(gray.size)
    if side <= TINY:  # whole times as large, so that the pixels stay squares beneath the smooth heat
        times = max(1, 2 * TINY // side)
        gray = gray.resize((gray.width * times, gray.height * times), Image.Resampling.NEAREST)
    warm = Image.fromarray(heat).resize(gray.size, Image.Resampling.BICUBIC)
    mixed = (
        raster.STRENGTH * raster.colors(np.asarray(warm) / 255) + (1 - raster.STRENGTH) * np.asarray(gray)[..., None]
    )
    return {"uri": data_uri(mixed.round().astype(np.uint8), exact=False), "tiny": False}


def sheet(pixels: np.ndarray) -> dict[str, Any]:
    """A drawing of few colors, uint8 (h, w, 3), exactly and at its own size."""
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(256).save(file, "png", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"uri": uri, "width": pixels.shape[1], "height": pixels.shape[0]}

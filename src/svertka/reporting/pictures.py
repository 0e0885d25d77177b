"""A picture inside the page: uint8 pixels -> a data URI."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from svertka.kinds import kind_of_array
from svertka.kinds.image.draw import TINY, data_uri
from svertka.reporting.charts import raster


def shown(sample: np.ndarray) -> dict[str, Any]:
    """A sample of any kind as the templates take it: its data, and whether it is tiny."""
    return kind_of_array(sample).draw(sample)


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

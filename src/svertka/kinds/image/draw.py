"""A picture inside a page: uint8 pixels -> a data URI."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from svertka.kinds.base import Array

TINY = 64  # up to this side a picture is kept exactly (PNG) and enlarged as squares
LARGEST = 256  # no picture in the page is larger than this


def data_uri(pixels: Array, *, exact: bool | None = None) -> str:
    """One picture, uint8 (h, w, 1 or 3): as PNG, exactly, where it is tiny (or `exact` says so), else as JPEG."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    kind = "png" if (is_tiny(pixels) if exact is None else exact) else "jpeg"
    image.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    image.save(file, kind, **({"optimize": True} if kind == "png" else {"quality": 85}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def is_tiny(pixels: Array) -> bool:
    """Whether enlarging should show the single pixels."""
    return max(int(side) for side in pixels.shape[:2]) <= TINY


def shown(pixels: Array) -> dict[str, Any]:
    """A picture as the templates take it: its data, and whether it is tiny."""
    return {"uri": data_uri(pixels), "tiny": is_tiny(pixels)}

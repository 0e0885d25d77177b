"""A series inside a page: a curve for each channel, as SVG in a data URI."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from svertka.kinds.base import Array

WIDTH, HEIGHT, EDGE = 160, 100, 6
COLORS = ("#2f6fae", "#c2571a", "#3a8a4d", "#8a4fa3", "#a0742a", "#4a4a4a")
MOST = 400  # points of a curve


def curve(sample: Array) -> str:
    """SVG of float32 (length, channels), all channels on one scale."""
    sample = sample[:: max(1, len(sample) // MOST)].astype(np.float64)
    low, high = float(sample.min()), float(sample.max())
    x = np.linspace(EDGE, WIDTH - EDGE, len(sample))
    y = HEIGHT - EDGE - (sample - low) / ((high - low) or 1) * (HEIGHT - 2 * EDGE)  # (length, channels)
    lines = [
        f'<polyline fill="none" stroke="{COLORS[k % len(COLORS)]}" stroke-width="1.5" points="'
        + " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y[:, k], strict=True))
        + '"/>'
        for k in range(sample.shape[1])
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(lines)}</svg>'
    )


def shown(sample: Array) -> dict[str, Any]:
    """As the templates take it."""
    return {"uri": f"data:image/svg+xml;base64,{base64.b64encode(curve(sample).encode()).decode()}", "tiny": False}

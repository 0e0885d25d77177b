"""Heat on pictures and sheets of panels, with Pillow alone.

The colors are nine points of viridis (Smith and van der Walt 2015), straight lines between them: even steps look even,
also in gray and with any common color blindness. The picture under the heat is gray, so that no color is its own.
What the network did not see is pale, without heat.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from svertka.kinds.image import Preprocess, back

VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
STRENGTH = 0.6  # of the heat over the picture
PALE = 0.25  # of the picture where the network did not see it
SIDE = 384  # of a panel: larger pictures are reduced to it, tiny ones enlarged as squares
TINY = 64
GAP, LINE = 12, 20  # pixels between panels, and of a line of writing
PAPER, INK, MUTED = (255, 255, 255), (27, 31, 36), (89, 98, 112)


class Panel(NamedTuple):
    """A picture with up to two lines beneath it: uint8 (h, w, 3)."""

    pixels: np.ndarray
    title: str
    below: str = ""


def colors(values: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1], (h, w) -> uint8 (h, w, 3).

    >>> colors(np.array([[0.0, 1.0]])).tolist()
    [[[68, 1, 84], [253, 231, 37]]]
    """
    points = np.array([[int(code[k : k + 2], 16) for k in (0, 2, 4)] for code in VIRIDIS], dtype=np.float64)
    at = np.linspace(0, 1, len(points))
    return np.stack([np.interp(values, at, points[:, k]) for k in range(3)], axis=-1).round().astype(np.uint8)


def shown(pixels: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A picture at the size of a panel, as RGB: uint8 (h, w) or (h, w, 1 or 3) -> (h', w', 3)."""
    image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).convert("RGB")
    longest = max(image.size)
    if longest <= TINY:
        times = max(1, side // longest)
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    elif longest > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def overlay(picture: np.ndarray, values: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """Heat over the picture that it explains.

    Args:
        picture: uint8 (h, w, 3), upright, at any size.
        values: (h', w') in [0, 1], over the network's input.
        preprocess: how the picture became the input.
    """
    height, width = picture.shape[:2]
    seen = back(np.ones((1, 1), np.float32), preprocess, height, width)[..., None]
    warm = colors(back(values, preprocess, height, width)).astype(np.float32)  # (h, w, 3)
    gray = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32)[..., None]
    mixed = seen * (STRENGTH * warm + (1 - STRENGTH) * gray) + (1 - seen) * (PALE * gray + (1 - PALE) * 255)
    return mixed.round().clip(0, 255).astype(np.uint8)


def sheet(panels: Sequence[Panel], columns: int | None = None, *, scale: bool = False) -> Image.Image:
    """Panels side by side, with their lines of writing; with `scale`, the colors from 0 to 1 at the foot."""
    columns = columns or len(panels)
    width = max(p.pixels.shape[1] for p in panels)
    height = max(p.pixels.shape[0] for p in panels)
    rows = -(-len(panels) // columns)
    step_x, step_y = width + GAP, height + 2 * LINE + GAP
    foot = LINE + GAP if scale else 0
    canvas = Image.new("RGB", (columns * step_x + GAP, rows * step_y + GAP + foot), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, panel in enumerate(panels):
        x, y = GAP + number % columns * step_x, GAP + number // columns * step_y
        canvas.paste(Image.fromarray(panel.pixels), (x, y))
        y += panel.pixels.shape[0] + 4
        for line, (text, ink) in enumerate(((panel.title, INK), (panel.below, MUTED))):
            draw.text((x, y + line * LINE), _cut(draw, text, width), fill=ink, font=_font())
    if scale:
        _scale(canvas, draw)
    return canvas


def grid(maps: np.ndarray, columns: int | None = None, gap: int = 2, side: int = 48) -> np.ndarray:
    """Many small maps as one picture: (k, h, w) or uint8 (k, h, w, 3) -> uint8 (H, W, 3).

    Numbers are brought to [0, 1] map by map and colored; a map smaller than `side` is enlarged as squares.
    """
    if maps.ndim == 3:
        low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
        maps = colors((maps - low) / np.maximum(high - low, 1e-12))  # (k, h, w, 3)
    times = max(1, side // max(maps.shape[1:3]))
    maps = maps.repeat(times, axis=1).repeat(times, axis=2)
    k, h, w = maps.shape[:3]
    columns = columns or int(np.ceil(np.sqrt(k)))
    rows = -(-k // columns)
    canvas = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for number, picture in enumerate(maps):
        y, x = number // columns * (h + gap), number % columns * (w + gap)
        canvas[y : y + h, x : x + w] = picture
    return canvas


def boxed(
    picture: np.ndarray, box: tuple[float, float, float, float], ink: tuple[int, int, int] = (255, 196, 0)
) -> np.ndarray:
    """A frame of a light line with a dark edge on each side: (left, top, right, bottom) in pixels of the picture."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = (round(v) for v in box)
    right, bottom = max(left, right - 1), max(top, bottom - 1)
    for out, color in ((1, INK), (-1, INK), (0, ink)):
        if right + out >= left - out and bottom + out >= top - out:
            draw.rectangle((left - out, top - out, right + out, bottom + out), outline=color)
    return np.asarray(image)


def _scale(canvas: Image.Image, draw: ImageDraw.ImageDraw) -> None:
    long = min(160, canvas.width - 2 * GAP - 40)
    bar = colors(np.linspace(0, 1, long)[None].repeat(10, 0))
    x, y = canvas.width - GAP - long - 16, canvas.height - GAP - LINE + 4
    canvas.paste(Image.fromarray(bar), (x, y))
    draw.text((x - 14, y - 4), "0", fill=MUTED, font=_font())
    draw.text((x + long + 6, y - 4), "1", fill=MUTED, font=_font())


def _cut(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """As much of a line as fits."""
    text = " ".join(text.split())
    if draw.textlength(text, font=_font()) <= width:
        return text
    while text and draw.textlength(text + "...", font=_font()) > width:
        text = text[:-1]
    return text + "..."


@cache
def _font(size: int = 13) -> Any:
    """A font of the system that knows more than Latin letters, or the one that Pillow brings."""
    for name in ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)

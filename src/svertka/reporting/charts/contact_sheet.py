"""A sheet of pictures in rows with labels, as one PNG: plain Pillow, so that it can be mailed and printed."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE, GAP, EDGE = 128, 6, 16  # pixels
PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")  # know more than Latin


def draw_sheet(
    rows: Sequence[np.ndarray], names: Sequence[str], titles: Sequence[str], foot: Sequence[str] = ()
) -> bytes:
    """A PNG of rows of pictures.

    Args:
        rows: each uint8 (k, h, w, 1 or 3), drawn from left to right in tiles of one size.
        names: of the rows, at the left.
        titles: of the columns, on top.
        foot: lines of text below.
    """
    font = _font(15)
    high, wide = rows[0].shape[1:3]
    factor = max(1, round(TILE / max(high, wide)))  # small pictures are enlarged by whole numbers: pixels stay square
    high, wide = high * factor, wide * factor
    margin = min(240, EDGE + GAP + max(round(font.getlength(name)) for name in names))
    width = margin + len(titles) * (wide + GAP) + EDGE
    lines = [part for line in foot for part in _wrapped(line, font, width - 2 * EDGE)]
    top = EDGE + 24
    sheet = Image.new("RGB", (width, top + len(rows) * (high + GAP) + 12 + 21 * len(lines) + EDGE), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        pen.text((margin + column * (wide + GAP), EDGE), _cut(title, font, wide), FAINT if column else INK, font)
    for number, (pictures, name) in enumerate(zip(rows, names, strict=True)):
        y = top + number * (high + GAP)
        pen.text((EDGE, y + high // 2 - 9), _cut(name, font, margin - EDGE - GAP), INK, font)
        for column, pixels in enumerate(pictures):
            tile = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
            sheet.paste(tile.resize((wide, high), Image.Resampling.NEAREST), (margin + column * (wide + GAP), y))
    for number, line in enumerate(lines):
        pen.text((EDGE, top + len(rows) * (high + GAP) + 12 + 21 * number), line, FAINT, font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue  # not on this machine
    return ImageFont.load_default(size)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """The text as far as it fits, with an ellipsis where it does not."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines

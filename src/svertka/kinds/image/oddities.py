"""Pictures unlike the rest of their set, each by a rule that a person can check.

The rules compare with the median of the set, so that gray digits on black are not "dark", and have an absolute floor,
so that a set of equals has no odd ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from svertka.common.messages import message
from svertka.kinds.base import Columns, Rule
from svertka.kinds.image.metadata import FORMATS

MAIN = 0.95  # share of a format that makes it the usual one
RARE = 0.02  # share of another format below which its files are looked at
DRAWN = 0.5  # share of even area from which a picture of a rare format may be a drawing or a text
PLAIN = 4.0  # gray levels of standard deviation below which a picture shows nothing
DARK, BRIGHT = 25.0, 235.0  # mean gray levels
FAR = 3.0  # times darker or brighter than the median
MARGIN = 60.0  # gray levels that the median must keep from black or white: a dark set has no dark pictures
BLUR = 30.0  # times less sharp than the median
SMALL = 4.0  # times smaller than the median, along the shorter side
LONG = 2.5  # times longer or wider than the median shape


def _placeholders(c: Columns) -> Iterator[tuple[int, str]]:
    """Drawings or texts in a format of their own among photographs: "photo not available"."""
    form, even = c["format"], c["even"]
    share = np.bincount(form, minlength=len(FORMATS)) / len(form)
    usual = int(share.argmax())
    if share[usual] < MAIN:
        return
    plain = np.percentile(even[form == usual], 99)
    odd = (share <= RARE)[form] & (even >= max(DRAWN, plain))
    for row in np.flatnonzero(odd).tolist():
        name, others = FORMATS[form[row]], FORMATS[usual]
        yield (
            row,
            message(
                "odd.format",
                "a {name} among {others} files, {even} of it even color: no photograph",
                name=name,
                others=others,
                even=f"{even[row]:.0%}",
            ),
        )


def _empty(c: Columns) -> Iterator[tuple[int, str]]:
    deviation = c["deviation"]
    for row in np.flatnonzero(deviation < PLAIN).tolist():
        yield (
            row,
            message(
                "odd.flat",
                "almost one color: its gray levels deviate by {deviation:.1f} of 255",
                deviation=float(deviation[row]),
            ),
        )


def _brightness(mean: float, usual: float) -> str:
    return message(
        "odd.brightness", "mean brightness {mean} of 255, where {usual} is usual",
        mean=f"{mean:.0f}", usual=f"{usual:.0f}",
    )  # fmt: skip


def _dark(c: Columns) -> Iterator[tuple[int, str]]:
    mean = c["mean"]
    usual = float(np.median(mean))
    for row in np.flatnonzero((mean < DARK) & (mean * FAR < usual) & (usual > MARGIN)).tolist():
        yield row, _brightness(mean[row], usual)


def _bright(c: Columns) -> Iterator[tuple[int, str]]:
    mean = c["mean"]
    usual = float(np.median(mean))
    for row in np.flatnonzero((mean > BRIGHT) & ((255 - mean) * FAR < 255 - usual) & (255 - usual > MARGIN)).tolist():
        yield row, _brightness(mean[row], usual)


def _blurred(c: Columns) -> Iterator[tuple[int, str]]:
    sharp = c["sharpness"]
    usual = float(np.median(sharp))
    for row in np.flatnonzero((sharp * BLUR < usual) & (c["deviation"] >= PLAIN)).tolist():
        yield (
            row,
            message(
                "odd.soft",
                "its edges are {times} times weaker than usual (variance of the Laplacian)",
                times=round(usual / max(1e-3, float(sharp[row]))),
            ),
        )


def _small(c: Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sizes.T
    side = np.minimum(height, width)
    usual = float(np.median(side))
    for row in np.flatnonzero(side * SMALL < usual).tolist():
        yield (
            row,
            message(
                "odd.size",
                "{width} x {height} pixels, where {usual} along the shorter side are usual",
                width=str(width[row]),
                height=str(height[row]),
                usual=f"{usual:.0f}",
            ),
        )


def _long(c: Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sizes.T
    shape = np.log(np.maximum(1, width) / np.maximum(1, height))
    shape -= np.median(shape)
    for row in np.flatnonzero(abs(shape) > np.log(LONG)).tolist():
        yield row, message("odd.shape", "{width} x {height} pixels", width=str(width[row]), height=str(height[row]))


RULES: tuple[Rule, ...] = (
    Rule(
        "placeholder", _placeholders, "looks like a placeholder and not like a picture of any class",
        "look like placeholders and not like pictures of any class",
    ),
    Rule("empty", _empty, "shows almost nothing", "show almost nothing"),
    Rule("dark", _dark, "is very dark", "are very dark"),
    Rule("bright", _bright, "is very bright", "are very bright"),
    Rule("small", _small, "is much smaller than the others", "are much smaller than the others"),
    Rule("long", _long, "has a shape unlike the others", "have shapes unlike the others"),
    Rule("blurred", _blurred, "is very blurred", "are very blurred"),  # after small: that is blurred when enlarged
)  # fmt: skip

"""Pictures unlike the rest of their set, each by a rule that a person can check.

The rules compare with the median of the set, so that gray digits on black are not "dark", and have an absolute floor,
so that a set of equals has no odd ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

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
        yield row, f"a {name} among {others} files, {even[row]:.0%} of it even color: no photograph"


def _empty(c: Columns) -> Iterator[tuple[int, str]]:
    deviation = c["deviation"]
    for row in np.flatnonzero(deviation < PLAIN).tolist():
        yield row, f"almost one color: its gray levels deviate by {deviation[row]:.1f} of 255"


def _dark(c: Columns) -> Iterator[tuple[int, str]]:
    mean = c["mean"]
    usual = float(np.median(mean))
    for row in np.flatnonzero((mean < DARK) & (mean * FAR < usual) & (usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _bright(c: Columns) -> Iterator[tuple[int, str]]:
    mean = c["mean"]
    usual = float(np.median(mean))
    for row in np.flatnonzero((mean > BRIGHT) & ((255 - mean) * FAR < 255 - usual) & (255 - usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _blurred(c: Columns) -> Iterator[tuple[int, str]]:
    sharp = c["sharpness"]
    usual = float(np.median(sharp))
    for row in np.flatnonzero((sharp * BLUR < usual) & (c["deviation"] >= PLAIN)).tolist():
        yield (
            row,
            f"its edges are {usual / max(1e-3, sharp[row]):,.0f} times weaker than usual (variance of the Laplacian)",
        )


def _small(c: Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sizes.T
    side = np.minimum(height, width)
    usual = float(np.median(side))
    for row in np.flatnonzero(side * SMALL < usual).tolist():
        yield row, f"{width[row]} x {height[row]} pixels, where {usual:.0f} along the shorter side are usual"


def _long(c: Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sizes.T
    shape = np.log(np.maximum(1, width) / np.maximum(1, height))
    shape -= np.median(shape)
    for row in np.flatnonzero(abs(shape) > np.log(LONG)).tolist():
        yield row, f"{width[row]} x {height[row]} pixels"


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

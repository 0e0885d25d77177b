"""Pictures unlike the rest of their set, each by a rule that a person can check.

The rules compare with the median of the set, so that gray digits on black are not "dark", and have an absolute floor,
so that a set of equals has no odd ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from svertka.data import Source, Store
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


@dataclass(frozen=True, slots=True)
class Oddity:
    """One picture that stands out: its place in the source, a word for how, and what was measured."""

    index: int
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Columns:
    """The measures of the readable files, a row each; a column is at hand only as long as a rule looks at it."""

    index: np.ndarray
    store: Store

    def __getitem__(self, name: str) -> np.ndarray:
        return self.store.facts[name][self.index]

    def median(self, name: str) -> float:
        return float(np.median(self[name]))

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Heights and widths."""
        return self.store.sizes[self.index, 0], self.store.sizes[self.index, 1]


_Rule = Callable[[_Columns], Iterator[tuple[int, str]]]  # gives (row, what was measured)


def find_oddities(source: Source, store: Store) -> tuple[Oddity, ...]:
    """The pictures that stand out, kind by kind; each is listed under the first kind that fits."""
    index = np.flatnonzero(store.readable)
    if not len(index):
        return ()
    columns = _Columns(index, store)
    found: dict[int, Oddity] = {}
    for kind, rule in RULES:
        for row, detail in rule(columns):
            i = int(index[row])
            found.setdefault(i, Oddity(i, kind, detail))
        store.release()  # of the columns that this rule has looked at
    order = {kind: k for k, (kind, _) in enumerate(RULES)}
    return tuple(sorted(found.values(), key=lambda o: (order[o.kind], o.index)))


def _placeholders(c: _Columns) -> Iterator[tuple[int, str]]:
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


def _empty(c: _Columns) -> Iterator[tuple[int, str]]:
    deviation = c["deviation"]
    for row in np.flatnonzero(deviation < PLAIN).tolist():
        yield row, f"almost one color: its gray levels deviate by {deviation[row]:.1f} of 255"


def _dark(c: _Columns) -> Iterator[tuple[int, str]]:
    mean, usual = c["mean"], c.median("mean")
    for row in np.flatnonzero((mean < DARK) & (mean * FAR < usual) & (usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _bright(c: _Columns) -> Iterator[tuple[int, str]]:
    mean, usual = c["mean"], c.median("mean")
    for row in np.flatnonzero((mean > BRIGHT) & ((255 - mean) * FAR < 255 - usual) & (255 - usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _blurred(c: _Columns) -> Iterator[tuple[int, str]]:
    sharp, usual = c["sharpness"], c.median("sharpness")
    for row in np.flatnonzero((sharp * BLUR < usual) & (c["deviation"] >= PLAIN)).tolist():
        yield (
            row,
            f"its edges are {usual / max(1e-3, sharp[row]):,.0f} times weaker than usual (variance of the Laplacian)",
        )


def _small(c: _Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sides
    side = np.minimum(height, width)
    usual = float(np.median(side))
    for row in np.flatnonzero(side * SMALL < usual).tolist():
        yield row, f"{width[row]} x {height[row]} pixels, where {usual:.0f} along the shorter side are usual"


def _long(c: _Columns) -> Iterator[tuple[int, str]]:
    height, width = c.sides
    shape = np.log(np.maximum(1, width) / np.maximum(1, height))
    shape -= np.median(shape)
    for row in np.flatnonzero(abs(shape) > np.log(LONG)).tolist():
        yield row, f"{width[row]} x {height[row]} pixels"


RULES: tuple[tuple[str, _Rule], ...] = (
    ("placeholder", _placeholders),
    ("empty", _empty),
    ("dark", _dark),
    ("bright", _bright),
    ("small", _small),
    ("long", _long),
    ("blurred", _blurred),  # after small: what was small is blurred when enlarged
)

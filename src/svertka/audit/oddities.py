"""Pictures unlike the rest of their set, each by a rule that a person can check.

The rules compare with the median of the set, so that grey digits on black are not "dark", and have an absolute floor,
so that a set of equals has no odd ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from svertka.data import Source, Store
from svertka.signals.traces import FORMATS

MAIN = 0.95  # share of a format that makes it the usual one
RARE = 0.02  # share of another format below which its files are looked at
DRAWN = 0.5  # share of even area from which a picture of a rare format may be a drawing or a text
PLAIN = 4.0  # grey levels of standard deviation below which a picture shows nothing
DARK, BRIGHT = 25.0, 235.0  # mean grey levels
FAR = 3.0  # times darker or brighter than the median
MARGIN = 60.0  # grey levels that the median must keep from black or white: a dark set has no dark pictures
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
    """The measures of the readable files, a row each."""

    index: np.ndarray
    facts: np.ndarray
    height: np.ndarray
    width: np.ndarray

    def median(self, name: str) -> float:
        return float(np.median(self.facts[name]))


_Rule = Callable[[_Columns], Iterator[tuple[int, str]]]  # gives (row, what was measured)


def find_oddities(source: Source, store: Store) -> tuple[Oddity, ...]:
    """The pictures that stand out, kind by kind; each is listed under the first kind that fits."""
    index = np.flatnonzero(store.readable)
    if not len(index):
        return ()
    columns = _Columns(index, store.facts[index], *store.sizes[index].T)
    found: dict[int, Oddity] = {}
    for kind, rule in RULES:
        for row, detail in rule(columns):
            i = int(index[row])
            found.setdefault(i, Oddity(i, kind, detail))
    order = {kind: k for k, (kind, _) in enumerate(RULES)}
    return tuple(sorted(found.values(), key=lambda o: (order[o.kind], o.index)))


def _placeholders(c: _Columns) -> Iterator[tuple[int, str]]:
    """Drawings or texts in a format of their own among photographs: "photo not available"."""
    share = np.bincount(c.facts["format"], minlength=len(FORMATS)) / len(c.index)
    usual = int(share.argmax())
    if share[usual] < MAIN:
        return
    even, plain = c.facts["even"], np.percentile(c.facts["even"][c.facts["format"] == usual], 99)
    odd = (share[c.facts["format"]] <= RARE) & (even >= max(DRAWN, plain))
    for row in np.flatnonzero(odd).tolist():
        name, others = FORMATS[c.facts["format"][row]], FORMATS[usual]
        yield row, f"a {name} among {others} files, {even[row]:.0%} of it even colour: no photograph"


def _empty(c: _Columns) -> Iterator[tuple[int, str]]:
    for row in np.flatnonzero(c.facts["deviation"] < PLAIN).tolist():
        yield row, f"almost one colour: its grey levels deviate by {c.facts['deviation'][row]:.1f} of 255"


def _dark(c: _Columns) -> Iterator[tuple[int, str]]:
    mean, usual = c.facts["mean"], c.median("mean")
    for row in np.flatnonzero((mean < DARK) & (mean * FAR < usual) & (usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _bright(c: _Columns) -> Iterator[tuple[int, str]]:
    mean, usual = c.facts["mean"], c.median("mean")
    for row in np.flatnonzero((mean > BRIGHT) & ((255 - mean) * FAR < 255 - usual) & (255 - usual > MARGIN)).tolist():
        yield row, f"mean brightness {mean[row]:.0f} of 255, where {usual:.0f} is usual"


def _blurred(c: _Columns) -> Iterator[tuple[int, str]]:
    sharp, usual = c.facts["sharpness"], c.median("sharpness")
    for row in np.flatnonzero((sharp * BLUR < usual) & (c.facts["deviation"] >= PLAIN)).tolist():
        yield (
            row,
            f"its edges are {usual / max(1e-3, sharp[row]):,.0f} times weaker than usual (variance of the Laplacian)",
        )


def _small(c: _Columns) -> Iterator[tuple[int, str]]:
    side = np.minimum(c.height, c.width)
    usual = float(np.median(side))
    for row in np.flatnonzero(side * SMALL < usual).tolist():
        yield row, f"{c.width[row]} x {c.height[row]} pixels, where {usual:.0f} along the shorter side are usual"


def _long(c: _Columns) -> Iterator[tuple[int, str]]:
    shape = np.log(np.maximum(1, c.width) / np.maximum(1, c.height))
    for row in np.flatnonzero(abs(shape - np.median(shape)) > np.log(LONG)).tolist():
        yield row, f"{c.width[row]} x {c.height[row]} pixels"


RULES: tuple[tuple[str, _Rule], ...] = (
    ("placeholder", _placeholders),
    ("empty", _empty),
    ("dark", _dark),
    ("bright", _bright),
    ("small", _small),
    ("long", _long),
    ("blurred", _blurred),  # after small: what was small is blurred when enlarged
)

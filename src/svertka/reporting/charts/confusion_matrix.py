"""The confusion matrix of many classes as one drawing: a cell a pair, groups framed, names at the sides.

Cells are the strokes of one path for each depth of color, so that a thousand classes stay small; a cell off the
diagonal has a tip with its words while there are few enough of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from svertka.reporting.charts.charts import heat_level
from svertka.reporting.format import isolated, percent, quoted, shorten
from svertka.reporting.i18n.translate import say

CELL, EDGE = 10, 4  # units of the viewBox: a cell, and what is free around all
LETTERS, LETTER = 22, 5.2  # of a name at most; units that one takes
NAMED = 120  # classes beyond which names would be too small to read
TIPPED = 2500  # cells off the diagonal that have words


def matrix(counts: np.ndarray, classes: Sequence[str], support: np.ndarray, groups: Sequence[slice]) -> Markup:
    """A drawing of counts (c, c), rows the truth; `support` (c,) how many pictures a row has in all."""
    side = CELL * len(classes)
    names = [shorten(name, LETTERS) for name in classes] if len(classes) <= NAMED else []
    margin = 2 * EDGE + max((len(name) * LETTER for name in names), default=0)
    drawn = [
        Markup('<rect class="ground" width="{0}" height="{0}"/>').format(side),
        *_levels(counts, support),
        *_tips(counts, classes, support),
        *(_frame(number, group) for number, group in enumerate(groups, 1)),
    ]
    title = say(
        "The confusion matrix of {n} class, rows the truth, columns the prediction",
        "The confusion matrix of {n} classes, rows the truth, columns the prediction",
        n=len(classes),
    )
    return Markup(
        '<svg class="matrix" viewBox="{0:.0f} {0:.0f} {1:.0f} {1:.0f}" role="img" aria-label="{2}">{3}{4}</svg>'
    ).format(-margin, side + margin + EDGE, title, Markup("").join(drawn), Markup("").join(_names(names)))


def _levels(counts: np.ndarray, support: np.ndarray) -> list[Markup]:
    """A path for each depth of color, of right answers and of wrong ones."""
    found: dict[str, list[str]] = {}
    for truth, guess in np.argwhere(counts).tolist():
        level = heat_level(int(counts[truth, guess]), int(support[truth]))
        kind = f"{'h' if truth == guess else 'm'}{level}"
        found.setdefault(kind, []).append(f"M{CELL * guess} {CELL * truth}h{CELL}v{CELL}h-{CELL}z")
    return [Markup('<path class="{}" d="{}"/>').format(kind, "".join(d)) for kind, d in sorted(found.items())]


def _tips(counts: np.ndarray, classes: Sequence[str], support: np.ndarray) -> list[Markup]:
    cells = [(t, g) for t, g in np.argwhere(counts).tolist() if t != g]
    if len(cells) > TIPPED:
        return []
    cell = Markup('<g class="tip"><title>{2}</title><rect x="{0}" y="{1}" width="{s}" height="{s}"/></g>')
    return [
        cell.format(
            CELL * guess,
            CELL * truth,
            say(
                "{truth} taken for {guess}: {n} of {of} ({share})",
                truth=quoted(classes[truth]),
                guess=quoted(classes[guess]),
                n=int(counts[truth, guess]),
                of=int(support[truth]),
                share=percent(counts[truth, guess] / support[truth], int(support[truth])),
            ),
            s=CELL,
        )
        for truth, guess in cells
    ]


def _frame(number: int, group: slice) -> Markup:
    at, side = CELL * group.start, CELL * (group.stop - group.start)
    return Markup(
        '<rect class="frame" x="{0}" y="{0}" width="{1}" height="{1}"/><text class="frame" x="{2}" y="{3}">{4}</text>'
    ).format(at, side, at + side + 4, at + 12, number)


def _names(names: Sequence[str]) -> list[Markup]:
    row = Markup('<text class="end" x="-4" y="{}">{}</text>')
    column = Markup('<text transform="translate({} -4) rotate(-90)">{}</text>')
    middles = [CELL * k + CELL / 2 + 3 for k in range(len(names))]
    return [
        *(row.format(y, isolated(name)) for y, name in zip(middles, names, strict=True)),
        *(column.format(x, isolated(name)) for x, name in zip(middles, names, strict=True)),
    ]

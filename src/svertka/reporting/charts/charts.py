"""Charts as inline SVG and HTML: pure functions from data to markup, every text in them escaped.

- Curves have a viewBox and scale with the page. Dots with whiskers and bars have no viewBox: their places are
  percentages, so they stretch to any width while circles stay round and letters keep their size.
- Colors are classes that the style sheet fills (light, dark, paper); see colors.py.
- Each chart is an image with a description for those who cannot see it, or a real table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from svertka.reporting.charts.palette import LEVELS
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import decimal, say

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 40, 82, 18, 46
FEW_EPOCHS = 8  # up to so many the axis shows all; beyond, it is made for the last four fifths
SCATTER, MARGIN = (320, 240), 10  # sides of a map of points, and what is left at its border
LABEL_GAP = 16  # least distance between two labels at the ends of lines


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: `points` (x, y), with gaps where y is None; `role` names its style."""

    label: str
    role: str
    points: Sequence[tuple[float, float | None]]

    def known(self) -> list[tuple[float, float]]:
        """The points that have a finite value."""
        return [(x, y) for x, y in self.points if y is not None and math.isfinite(y)]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that cover low..high, at most `most` of them (1, 2, 2.5 and 5 times powers of ten).

    >>> ticks(0, 2.31)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    """
    if high <= low:
        high = low + 1
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power * m for m in (1, 2, 2.5, 5, 10, 20)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            break
    return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values land in the drawing: x from `first` to `last`, y from `low` to `high`."""

    first: float
    last: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """From the left edge, in units of the viewBox; a single epoch stands in the middle."""
        share = (value - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def y(self, value: float) -> float:
        """From the top edge, in units of the viewBox."""
        share = (value - self.low) / (self.high - self.low)
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def curves(
    lines: Sequence[Line],
    *,
    title: str,
    ceiling: float = math.inf,
    least: float = 0.0,
    as_percent: bool = False,
    best: float | None = None,
    faint: Line | None = None,
) -> Markup:
    """Lines over the epochs, labeled at their ends; `best` marks an epoch, `faint` is a fine line behind.

    The axis is at least `least` high and shows none below 0 or above `ceiling`. Where nothing is known the
    drawing is empty.
    """
    values = settled(lines, best)
    if not values:
        return Markup("")
    back = _thinned(faint.known()) if faint else []
    marks = ticks(min(*values, max(values) - least), max(values))
    marks = [m for m in marks if 0 <= m <= ceiling + 1e-9]
    epochs = [x for line in lines for x, _ in line.points]
    frame = Frame(0.0 if back else min(epochs), max(epochs), marks[0], marks[-1])
    paths = [_path(back, frame, "fine"), *(_path(line.known(), frame, line.role) for line in lines)]
    drawn = [_grid(marks, frame, as_percent), _epoch_axis(frame), _inside(paths)]
    if best is not None:
        drawn.append(_best_epoch(best, frame))
    for line in lines:
        shown = [(x, y) for x, y in line.known() if frame.low <= y <= frame.high]
        drawn += [_dot(x, y, frame, line.role, x == best) for x, y in shown if x == best or len(epochs) <= 80]
    drawn.append(_end_labels(lines, frame))
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(drawn)
    )


def settled(lines: Sequence[Line], best: float | None = None) -> list[float]:
    """The values that an axis is for: those after the steep beginning, of the best and the last epoch."""
    points = [point for line in lines for point in line.known()]
    xs = sorted({x for line in lines for x, _ in line.points})
    start = xs[len(xs) // 5] if len(xs) > FEW_EPOCHS else -math.inf
    last = {line.known()[-1] for line in lines if line.known()}
    return [y for x, y in points if x >= start or x == best or (x, y) in last]


def _inside(paths: Iterable[Markup]) -> Markup:
    """Paths that are cut at the frame (an inner svg cuts; two units are left for the width of lines)."""
    left, top, width, height = LEFT - 2, TOP - 2, WIDTH - LEFT - RIGHT + 4, HEIGHT - TOP - BOTTOM + 4
    return Markup('<svg x="{0}" y="{1}" width="{2}" height="{3}" viewBox="{0} {1} {2} {3}">{4}</svg>').format(
        left, top, width, height, Markup("").join(paths)
    )


def _grid(marks: Iterable[float], frame: Frame, as_percent: bool) -> Markup:
    row = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    row += Markup('<text class="end" x="{}" y="{text:.1f}">{}</text>')
    return Markup("").join(
        row.format(
            LEFT,
            WIDTH - RIGHT,
            LEFT - 8,
            decimal(100 * m if as_percent else m, "g"),
            y=frame.y(m),
            text=frame.y(m) + 4,
        )
        for m in marks
    )


def _epoch_axis(frame: Frame) -> Markup:
    whole = [m for m in ticks(frame.first, frame.last, 8) if frame.first <= m < frame.last and m == int(m)]
    whole = [m for m in whole if frame.x(frame.last) - frame.x(m) > 24] + [frame.last]
    below = HEIGHT - BOTTOM + 18
    mark = Markup('<text class="middle" x="{:.1f}" y="{}">{:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    name = Markup('<text class="middle" x="{:.1f}" y="{}">{}</text>').format(middle, below + 20, say("epoch"))
    return Markup("").join(mark.format(frame.x(m), below, m) for m in whole) + name


def _best_epoch(best: float, frame: Frame) -> Markup:
    x = frame.x(best)
    left = x > (LEFT + WIDTH - RIGHT) / 2
    line = Markup('<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>').format(0, HEIGHT - BOTTOM, x=x)
    return line + Markup('<text class="quiet{}" x="{:.1f}" y="10">{}</text>').format(
        " end" if left else "", x - 6 if left else x + 6, say("best: epoch {n}", n=round(best))
    )


def _path(points: Sequence[tuple[float, float]], frame: Frame, role: str) -> Markup:
    d = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in points)
    return Markup('<path class="{}" d="M{}"/>').format(role, d) if points else Markup("")


def _dot(x: float, y: float, frame: Frame, role: str, best: bool) -> Markup:
    return Markup('<circle class="{}{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
        role, " ring" if best else "", frame.x(x), frame.y(y), 4.5 if best else 2.4
    )


def _thinned(points: list[tuple[float, float]], most: int = 300) -> list[tuple[float, float]]:
    """At most `most` points, each the mean of neighbors."""
    size = max(1, math.ceil(len(points) / most))
    groups = (points[i : i + size] for i in range(0, len(points), size))
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _end_labels(lines: Sequence[Line], frame: Frame) -> Markup:
    """The lines' names at their last points, moved apart where they would touch."""
    ends = [(line, *line.known()[-1]) for line in lines if line.known()]
    ends.sort(key=lambda end: frame.y(end[2]))
    ys = [frame.y(y) for _, _, y in ends]
    for i in range(1, len(ys)):
        ys[i] = max(ys[i], ys[i - 1] + LABEL_GAP)
    excess = max(0.0, ys[-1] - (HEIGHT - BOTTOM))
    return Markup("").join(
        Markup('<text class="name {}" x="{:.1f}" y="{:.1f}">{}</text>').format(
            line.role, frame.x(x) + 10, y - excess + 4, line.label
        )
        for y, (line, x, _) in zip(ys, ends, strict=True)
    )


def scatter(points: np.ndarray, marked: Sequence[tuple[str, np.ndarray]], *, title: str) -> Markup:
    """Points (n, 2) to one scale along both axes; `marked` are (role, bool (n,)), drawn above the rest in this order.

    Points are whole units of the viewBox: nearer ones than a dot is wide say nothing more. "miss" is drawn as crosses.
    """
    low, high = points.min(0), points.max(0)
    inside = (SCATTER[0] - 2 * MARGIN, SCATTER[1] - 2 * MARGIN)
    scale = min(float(side / span) if span else math.inf for side, span in zip(inside, high - low, strict=True))
    at = (points - (low + high) / 2) * (scale if math.isfinite(scale) else 0) * (1, -1) + (
        SCATTER[0] / 2,
        SCATTER[1] / 2,
    )
    at = at.round().astype(int)
    rest = ~np.any([mask for _, mask in marked], axis=0)
    paths = [_marks(at[mask], role) for role, mask in [("rest", rest), *marked]]
    return Markup('<svg class="scatter" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        *SCATTER, title, Markup("").join(paths)
    )


def _marks(at: np.ndarray, role: str) -> Markup:
    """Dots (lines of no length with round ends) or crosses at whole places (n, 2), each place once."""
    stroke = "M{} {}m-4-4l8 8m0-8l-8 8" if role == "miss" else "M{} {}h0"
    d = "".join(stroke.format(x, y) for x, y in np.unique(at, axis=0).tolist())
    return Markup('<path class="{}" d="{}"/>').format(role, d) if d else Markup("")


def whisker(
    value: float | None,
    low: float,
    high: float,
    axis: tuple[float, float],
    tone: str = "hit",
    mark: float | None = None,
) -> Markup:
    """A dot for a share and a line for its interval, on an axis from axis[0] to axis[1]; no value, no dot.

    `mark` is a stroke across, for what the share is held against.
    """

    def place(share: float) -> float:
        return 100 * min(max((share - axis[0]) / (axis[1] - axis[0]), 0), 1)

    dot = (
        Markup("")
        if value is None
        else Markup('<circle class="{}" cx="{:.2f}%" cy="10" r="4.5"/>').format(tone, place(value))
    )
    stroke = Markup('<line class="mark" x1="{0:.2f}%" x2="{0:.2f}%" y1="3" y2="17"/>')
    across = Markup("") if mark is None else stroke.format(place(mark))
    return Markup(
        '<svg class="whisker" width="100%" height="20" aria-hidden="true">'
        '<line class="grid" x1="0" x2="100%" y1="10" y2="10"/>'
        '<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="10" y2="10"/>{}{}</svg>'
    ).format(tone, place(low), place(high), across, dot)


def scale(axis: tuple[float, float]) -> Markup:
    """The percentages above a column of whiskers."""
    marks = ticks(*axis, most=5)
    marks = [m for m in marks if axis[0] - 1e-9 <= m <= axis[1] + 1e-9]
    texts = (
        Markup('<text class="{}" x="{:.2f}%" y="13">{}</text>').format(
            "start" if i == 0 else "end" if i == len(marks) - 1 else "middle",
            100 * (m - axis[0]) / (axis[1] - axis[0]),
            decimal(100 * m, "g"),
        )
        for i, m in enumerate(marks)
    )
    return Markup('<svg class="whisker" width="100%" height="18" aria-hidden="true">{}</svg>').format(
        Markup("").join(texts)
    )


def axis_for(lows: Iterable[float]) -> tuple[float, float]:
    """The axis that shows all whiskers: from a round share at or below the lowest to 1."""
    return max(0.0, ticks(min(lows, default=0.0), 1.0, most=5)[0]), 1.0


def stacked(shares: Sequence[tuple[str, float]], title: str) -> Markup:
    """One bar cut into parts; `shares` are (role, share of 1)."""
    at, parts = 0.0, []
    for role, share in shares:
        parts.append(
            Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" y="0" height="22"/>').format(
                role, 100 * at, 100 * share
            )
        )
        at += share
    return Markup('<svg class="stacked" width="100%" height="22" role="img" aria-label="{}">{}</svg>').format(
        title, Markup("").join(parts)
    )


def heat_level(count: int, of: int) -> int:
    """How deep a cell is colored: 0 for none, then 1 to LEVELS; by the root, so that rare mistakes show."""
    return min(LEVELS, 1 + int(LEVELS * math.sqrt(count / of))) if count else 0


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], support: Sequence[int] | None = None) -> Markup:
    """The confusion matrix as a table: rows the truth, columns the prediction, color by share of the row.

    `support` is how many pictures each row's class has in all, where `counts` is a part of a larger matrix.
    """
    size = "large" if len(classes) <= 12 else "medium" if len(classes) <= 30 else "small"
    level = " level" if size == "large" and max(map(len, classes), default=0) <= 3 else ""
    head = Markup('<th scope="col" title="{0}"><bdi>{0}</bdi></th>')
    line = Markup('<tr><th scope="row" title="{0}"><bdi>{0}</bdi></th>{1}</tr>')
    totals = [sum(row) for row in counts] if support is None else support
    return Markup(
        '<table class="confusion {}{}"><thead><tr><td>{} ↓<br>{} →</td>{}</tr></thead><tbody>{}</tbody></table>'
    ).format(
        size,
        level,
        say("truth"),
        say("prediction"),
        Markup("").join(head.format(name) for name in classes),
        Markup("").join(
            line.format(name, _cells(i, counts[i], int(totals[i]), classes)) for i, name in enumerate(classes)
        ),
    )


def _cells(truth: int, row: Sequence[int], total: int, classes: Sequence[str]) -> Markup:
    cells = []
    for guess, n in enumerate(row):
        if not n:
            cells.append(Markup("<td></td>"))
            continue
        values = {"truth": quoted(classes[truth]), "n": n, "of": total, "share": percent(n / total, total)}
        tip = (
            say("{truth} found: {n} of {of} ({share})", **values)
            if guess == truth
            else say("{truth} taken for {guess}: {n} of {of} ({share})", guess=quoted(classes[guess]), **values)
        )
        kind = f"{'h' if guess == truth else 'm'}{heat_level(n, total)}"
        cells.append(Markup('<td class="{}" title="{}">{}</td>').format(kind, tip, n))
    return Markup("").join(cells)

"""Accuracy against the strength of a change, as a small inline SVG: a line in the band of its interval.

Strengths stand at even distances in the order in which they grow, as numbers beneath: a quality that falls and an angle
that grows are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from svertka.records import Interval
from svertka.reporting.i18n.translate import decimal

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 14, 10, 42
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """The share of right answers at a strength, which is text."""

    strength: str
    share: Interval


def chart(points: Sequence[Point], plain: Interval, *, title: str, unit: str) -> Markup:
    """The curve over growing strengths; `plain`, the share without any change, is a band across and the first point."""
    shares = [plain, *(p.share for p in points)]
    xs = [LEFT + (WIDTH - LEFT - RIGHT) * k / max(1, len(points)) for k in range(len(shares))]
    band = [(x, s.high) for x, s in zip(xs, shares, strict=True)]
    band += [(x, s.low) for x, s in reversed(list(zip(xs, shares, strict=True)))]
    line = _joined([(x, s.value) for x, s in zip(xs, shares, strict=True)])
    dot = Markup('<circle class="valid" cx="{:.1f}" cy="{:.1f}" r="3"/>')
    drawn = [
        _shares(),
        Markup('<rect class="plain" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
            LEFT, _y(plain.high), WIDTH - LEFT - RIGHT, max(1.0, _y(plain.low) - _y(plain.high))
        ),
        Markup('<path class="band" d="M{}Z"/>').format(_joined(band)),
        Markup('<path class="valid" d="M{}"/>').format(line),
        *(dot.format(x, _y(s.value)) for x, s in zip(xs, shares, strict=True)),
        *(_below(x, p.strength) for x, p in zip(xs[1:], points, strict=True)),
        Markup('<text class="middle" x="{}" y="{}">{}</text>').format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, unit),
    ]
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(drawn)
    )


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {_y(share):.1f}" for x, share in points)


def _below(x: float, text: str) -> Markup:
    return Markup('<text class="middle" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - BOTTOM + 17, text)


def _shares() -> Markup:
    row = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    row += Markup('<text class="end" x="{}" y="{text:.1f}">{}</text>')
    return Markup("").join(
        row.format(LEFT, WIDTH - RIGHT, LEFT - 7, decimal(100 * s, "g"), y=_y(s), text=_y(s) + 4) for s in SHARES
    )

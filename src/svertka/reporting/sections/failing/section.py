"""Labels that look wrong, and kinds of pictures on which the network does worse, or that one class owns."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format, pictures
from svertka.reporting.charts import charts
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import number, say
from svertka.runs.records import Case, Failing, Slice
from svertka.runs.results import Results

SUSPECTS = 24
SHOWN = 12  # pictures of each sort
ROWS = 16


def section(run: Results) -> dict[str, Any] | None:
    """What failing.json holds, where the run has one."""
    found = run.failing
    if found is None:
        return None
    rows = [s for s in found.slices.shown if s.proven or s.owned][:ROWS]
    axis = charts.axis_for(s.low for s in rows)
    suspects, planted = found.suspects, found.suspects.planted
    return {
        "looked_at": found.slices.looked_at,
        "scale": charts.scale(axis),
        "rows": [_slice(s, axis) for s in rows],
        "suspects": {
            "count": suspects.count,
            "planted": planted,
            "found": percent(planted.found) if planted else None,
            "precise": percent(planted.precise) if planted else None,
            "rows": [(s.path, s.label, s.guess, percent(s.confidence)) for s in suspects.shown[:SUSPECTS]],
            "cards": _cards(run, found, suspects.shown),
        },
        "unsure": _cards(run, found, found.least_certain),
    }


def _cards(run: Results, found: Failing, rows: list[Case]) -> list[dict[str, Any]]:
    """Those of the first SHOWN rows whose pictures the run keeps."""
    scored, cards = run.predictions.get(found.part), []
    if scored is None or len(scored.index) != found.n:
        return []
    for row in rows[:SHOWN]:
        place = run.place_of(int(scored.index[row.place])) if row.place < len(scored.index) else None
        if place is not None and run.examples is not None:
            cards.append(
                {
                    "path": row.path,
                    "label": row.label,
                    "guess": row.guess,
                    "picture": pictures.shown(run.examples.pixels[place]),
                    "confidence": percent(row.confidence),
                    "given": percent(row.given),
                    "right": row.label == row.guess,
                }
            )
    return cards


def _slice(found: Slice, axis: tuple[float, float]) -> dict[str, Any]:
    n = found.n
    notes = []
    if found.proven:
        notes.append(say("beyond chance"))
    if found.owned and found.owner is not None:
        notes.append(
            say(
                "{share} of them are {owner}, {usual} elsewhere: the network may have learned this instead",
                share=percent(found.share, n),
                owner=format.quoted(found.owner),
                usual=percent(found.usual, n),
            )
        )
    return {
        "fact": say(found.fact),
        "value": found.value,
        "of": found.of,
        "chart": charts.whisker(found.accuracy, found.low, found.high, axis),
        "accuracy": percent(found.accuracy, n),
        "interval": format.interval(Interval(found.accuracy, found.low, found.high, n)),
        "rest": percent(found.rest, n),
        "n": number(n),
        "p": format.chance(found.p),
        "note": "; ".join(notes),
    }

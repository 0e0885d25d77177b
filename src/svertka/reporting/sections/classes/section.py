"""Each class with the share of its pictures that is found, the weakest first."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.charts import charts
from svertka.reporting.format import UNKNOWN, percent
from svertka.runs.results import Results

ROWS = 30  # classes listed at once; the others unfold


def section(run: Results) -> dict[str, Any] | None:
    """Recall with its interval, precision and F1 of every class."""
    scored = run.shown
    if scored is None:
        return None
    found = sorted(
        run.evaluations[scored.part].per_class.items(),
        key=lambda item: (item[1].recall is None, item[1].recall, item[1].low),
    )
    axis = charts.axis_for(s.low for _, s in found if s.recall is not None)
    rows = [
        {
            "name": name,
            "chart": "" if s.recall is None else charts.whisker(s.recall, s.low, s.high, axis),
            "recall": percent(s.recall, s.support),
            "interval": UNKNOWN if s.recall is None else format.interval(Interval(s.recall, s.low, s.high, s.support)),
            "support": s.support,
            "precision": percent(s.precision, s.support),
            "f1": percent(s.f1, s.support),
        }
        for name, s in found
    ]
    return {"part": scored.part, "scale": charts.scale(axis), "rows": rows[:ROWS], "others": rows[ROWS:]}

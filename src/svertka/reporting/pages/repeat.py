"""The page of repeated trainings: every run beside the others, their mean and spread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svertka.records import Interval
from svertka.reporting.charts import charts
from svertka.reporting.format import interval, percent
from svertka.reporting.i18n.translate import say
from svertka.reporting.templates import place_of, render, replace_page


def write_page(parent: Path, found: Mapping[str, Any], out: Path | None = None) -> Path:
    """Write report.html into the parent folder (or `out`), from what repeats.json holds.

    Raises:
        RunError: the page cannot be written.
    """
    place = place_of(parent, out)
    replace_page(place, page(found))
    return place


def page(found: Mapping[str, Any]) -> str:
    """The page as text."""
    parts = [part for part in ("validation", "test") if found[part] is not None]
    tables = []
    for part in parts:
        rows = [(Path(run["run"]).name, run[part]) for run in found["runs"]]
        axis = charts.axis_for(row["low"] for _, row in rows)
        mean = found[part]
        tables.append(
            {
                "part": part,
                "scale": charts.scale(axis),
                "rows": [_row(name, row["accuracy"], row["low"], row["high"], row["n"], axis) for name, row in rows],
                "mean": _row(say("mean"), mean["accuracy"], mean["low"], mean["high"], mean["n"], axis, "base"),
                "deviation": mean["deviation"],
            }
        )
    return render("repeat", found=found, tables=tables)


def _row(name: str, value: float, low: float, high: float, n: int, axis: Any, tone: str = "hit") -> dict[str, Any]:
    return {
        "name": name,
        "chart": charts.whisker(value, low, high, axis, tone),
        "value": percent(value, n),
        "interval": interval(Interval(value, low, high, n)),
        "n": n,
    }

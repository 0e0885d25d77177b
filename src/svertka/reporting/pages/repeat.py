"""The page of repeated trainings: every run beside the others, their mean and spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svertka.records import Interval
from svertka.reporting.charts import charts
from svertka.reporting.format import interval, percent
from svertka.reporting.i18n.translate import say
from svertka.reporting.templates import place_of, render, replace_page
from svertka.runs.records import Mean, RepeatsFile, RunScore


def write_page(parent: Path, found: RepeatsFile, out: Path | None = None) -> Path:
    """Write report.html into the parent folder (or `out`), from what repeats.json holds.

    Raises:
        RunError: the page cannot be written.
    """
    place = place_of(parent, out)
    replace_page(place, page(found))
    return place


def page(found: RepeatsFile) -> str:
    """The page as text."""
    tables = []
    for part, mean in (("validation", found.validation), ("test", found.test)):
        if mean is None:
            continue
        scores = [(Path(run.run).name, run.test if part == "test" else run.validation) for run in found.runs]
        rows = [(name, score) for name, score in scores if score is not None]
        axis = charts.axis_for(row.low for _, row in rows)
        tables.append(
            {
                "part": part,
                "scale": charts.scale(axis),
                "rows": [_row(name, row, axis) for name, row in rows],
                "mean": _row(say("mean"), mean, axis, "base"),
                "deviation": mean.deviation,
            }
        )
    return render("repeat", found=found, tables=tables)


def _row(name: str, score: RunScore | Mean, axis: tuple[float, float], tone: str = "hit") -> dict[str, Any]:
    return {
        "name": name,
        "chart": charts.whisker(score.accuracy, score.low, score.high, axis, tone),
        "value": percent(score.accuracy, score.n),
        "interval": interval(Interval(score.accuracy, score.low, score.high, score.n)),
        "n": score.n,
    }

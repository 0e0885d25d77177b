"""The model beside answers that need no training, or hardly any: where `report --full` has made them."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.charts import charts
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import known, say, to_say
from svertka.runs.records import Accuracy
from svertka.runs.results import Results

NAMES = (to_say("most frequent class"), to_say("nearest neighbors in color"), to_say("tiny network"))


def section(run: Results) -> dict[str, Any] | None:
    """What baselines.json holds, as rows from the weakest to the model itself."""
    found = run.baselines
    if found is None:
        return None
    n, model = found.n, found.model
    simpler = sorted(found.rows, key=lambda row: row.accuracy)
    best = simpler[-1]
    return {
        "on": say(format.COUNTED[found.part], n=n),
        "scale": charts.scale((0, 1)),
        "rows": [
            *(_row(known(row.name), row, n, "base", row.p) for row in simpler),
            _row(say("this network"), model, n, "hit", None),
        ],
        "beaten": model.low > best.high,
        "best": known(best.name),
        "thinned": any(row.n is not None and row.n < n for row in simpler),
    }


def _row(name: str, found: Accuracy, every: int, tone: str, p: float | None) -> dict[str, Any]:
    n = every if found.n is None else found.n  # runs of earlier versions asked about all
    return {
        "name": name,
        "of": n if n < every else None,
        "chart": charts.whisker(found.accuracy, found.low, found.high, (0, 1), tone),
        "accuracy": percent(found.accuracy, n),
        "interval": format.interval(Interval(found.accuracy, found.low, found.high, n)),
        "p": "" if p is None else format.chance(p),
    }

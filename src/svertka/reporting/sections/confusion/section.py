"""The confusion matrix, its worst pairs, and of many classes the groups that are taken for each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.evaluation import most_confused
from svertka.evaluation.errors.confusion_groups import grouped
from svertka.reporting.charts import charts
from svertka.reporting.charts.confusion_matrix import matrix
from svertka.runs.results import Results

CLASSES = 40  # the most classes whose matrix is one table of numbers
GROUPS = 6  # tables of groups when there are more
PAIRS, MORE = 8, 16  # worst pairs that are listed; where the matrix is a drawing


def section(run: Results) -> dict[str, Any] | None:
    """The matrix, rows the truth: a table of numbers, or a drawing with tables of its groups; and the worst pairs."""
    scored = run.shown
    if scored is None:
        return None
    evaluation = run.evaluations[scored.part]
    names, counts = list(evaluation.per_class), np.array(evaluation.confusion)
    many = len(names) > CLASSES
    pairs = most_confused(counts, names, MORE if many else PAIRS)
    return {
        "part": scored.part,
        "all": len(names),
        "table": None if many else charts.confusion(counts.tolist(), names),
        "pairs": [
            {"truth": p.truth, "guess": p.predicted, "count": p.count, "of": round(p.count / p.share)} for p in pairs
        ],
        **(_of_many(counts, names) if many else {"drawing": None, "groups": [], "inside": 0, "wrong": 0}),
    }


def _of_many(counts: np.ndarray, names: list[str]) -> dict[str, Any]:
    found, support = grouped(counts), counts.sum(1)
    shown = found.groups[:GROUPS]
    order = found.order
    tables = []
    for group in shown:
        members = order[group]
        part = counts[np.ix_(members, members)]
        tables.append(
            {
                "table": charts.confusion(part.tolist(), [names[i] for i in members], support[members].tolist()),
                "wrong": int(part.sum() - part.trace()),
                "of": int(support[members].sum()),
            }
        )
    return {
        "drawing": matrix(counts[np.ix_(order, order)], [names[i] for i in order], support[order], shown),
        "groups": tables,
        "inside": sum(t["wrong"] for t in tables),
        "wrong": int(counts.sum() - counts.trace()),
    }

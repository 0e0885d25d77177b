"""The confusion matrix (of the most confused classes where there are very many) and its worst pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.evaluation import most_confused
from svertka.reporting import charts
from svertka.reporting.folder import RunFolder

CLASSES = 100  # the most classes that a confusion matrix shows in full
WORST = 40  # classes in it when there are more
PAIRS = 8


def section(run: RunFolder) -> dict[str, Any] | None:
    """The matrix as a table, rows the truth, and the pairs that are confused most often."""
    scored = run.looked_at
    if scored is None:
        return None
    names, counts = list(scored.evaluation.per_class), np.array(scored.evaluation.confusion)
    pairs = most_confused(counts, names, PAIRS)
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    kept = np.arange(len(names))
    if len(names) > CLASSES:
        kept = np.sort(np.argsort(-wrong, kind="stable")[:WORST])
    return {
        "part": scored.part,
        "all": len(names),
        "shown": len(kept),
        "table": charts.confusion(counts[np.ix_(kept, kept)].tolist(), [names[i] for i in kept], counts.sum(1)[kept]),
        "pairs": [
            {"truth": p.truth, "guess": p.predicted, "count": p.count, "of": round(p.count / p.share)} for p in pairs
        ],
    }

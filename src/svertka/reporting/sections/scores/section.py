"""All scores, validation and test beside each other."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import decimal, number, say
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any] | None:
    """A column for each part that was scored."""
    if not run.predictions:
        return None
    found = list(run.evaluations.values())
    rows = [
        (say("Accuracy"), [percent(e.accuracy.value, e.accuracy.n) for e in found]),
        (say("95\u202f% interval"), [format.interval(e.accuracy) for e in found]),
        (say("Balanced accuracy"), [percent(e.balanced_accuracy, e.accuracy.n) for e in found]),
    ]
    if all(e.top5 for e in found):
        rows.append((say("Truth among the first five"), [percent(e.top5.value, e.top5.n) for e in found if e.top5]))
    rows += [
        (say("Always the most frequent class"), [percent(e.majority, e.accuracy.n) for e in found]),
        (say("Loss (nats)"), [decimal(e.loss, ".4f") for e in found]),
        (say("Calibration error"), [percent(e.ece, e.accuracy.n) for e in found]),
        (say("Pictures"), [number(e.accuracy.n) for e in found]),
    ]
    return {
        "parts": [(part, say(format.PART[part])) for part in run.predictions],
        "names": list(run.predictions),
        "rows": rows,
    }

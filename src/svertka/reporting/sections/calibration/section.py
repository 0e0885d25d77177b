"""Whether the network's confidence means what it says, and what answering only when sure gives."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.charts import charts
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import decimal, number, say
from svertka.runs.results import Results

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)


def section(run: Results) -> dict[str, Any] | None:
    """The reliability of each bin of confidence, the error beside its noise, and coverage against accuracy."""
    scored = run.shown
    if scored is None:
        return None
    evaluation = run.evaluations[scored.part]
    found = evaluation.calibration
    used = [b for b in found.bins if b.n and b.accuracy is not None]
    axis = charts.axis_for(min(b.least, b.confidence) for b in used if b.confidence is not None)
    rows = [
        {
            "confidence": percent(b.confidence, b.n),
            "chart": charts.whisker(b.accuracy, b.least, b.most, axis, mark=b.confidence),
            "right": percent(b.accuracy, b.n),
            "interval": format.interval(Interval(b.accuracy or 0.0, b.least, b.most, b.n)),
            "n": number(b.n),
        }
        for b in used
    ]
    points = evaluation.abstaining
    answered = [min(points, key=lambda p: abs(p.coverage - share)) for share in COVERAGES]
    n = len(scored.labels)
    return {
        "sentence": _sentence(found),
        "scale": charts.scale(axis),
        "rows": rows,
        "answered": [
            (percent(p.coverage, n), decimal(p.threshold, ".3f"), percent(p.accuracy, n), percent(p.low, n))
            for p in dict.fromkeys(answered)
        ],
    }


def _sentence(found: Any) -> str:
    numbers = {"ece": 100 * found.ece, "noise": 100 * found.noise, "limit": 100 * found.limit}
    if found.ece <= found.limit:
        return say(
            "Confidence and accuracy lie {ece:.1f} points apart, no more than chance gives a calibrated network on as "
            "many pictures (about {noise:.1f}, rarely above {limit:.1f}).",
            **numbers,
        )
    if found.surer > 0:
        return say(
            "Confidence and accuracy lie {ece:.1f} points apart, where chance gives a calibrated network about "
            "{noise:.1f}: on the whole it is surer than it is right.",
            **numbers,
        )
    return say(
        "Confidence and accuracy lie {ece:.1f} points apart, where chance gives a calibrated network about "
        "{noise:.1f}: on the whole it is right more often than it is sure.",
        **numbers,
    )

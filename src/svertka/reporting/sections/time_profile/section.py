"""Where the seconds went."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.reporting.charts import charts
from svertka.reporting.i18n.translate import NARROW, say
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any] | None:
    """The total as one bar cut into parts, and what was measured on the machine."""
    seconds = run.metrics.seconds
    total = seconds.total
    if not total:
        return None
    read, train = min(seconds.read, total), min(seconds.train, total)
    parts = [
        (say("reading pictures"), "read", read),
        (say("training"), "train", train),
        (say("everything else"), "other", max(0.0, total - read - train)),
    ]
    whole = sum(s for _, _, s in parts)
    listed = ", ".join(f"{name} {format.duration(s)}" for name, _, s in parts)
    return {
        "total": total,
        "bar": charts.stacked([(role, s / whole) for _, role, s in parts], say("Time: {parts}", parts=listed)),
        "parts": [(name, role, s, f"{100 * s / whole:.0f}{NARROW}%") for name, role, s in parts],
        "rate": round(run.metrics.images_per_second or 0),
        "plan": list(format.rows(run.metrics.plan)),
    }

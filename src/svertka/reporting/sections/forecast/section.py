"""What was forecast and what it took; part by part, where the time went; and what held training up."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.reporting.i18n.translate import NARROW, decimal, say, to_say
from svertka.runs.results import Results

PARTS = {
    "start": to_say("start, listing the files"),
    "import": to_say("importing PyTorch, while pictures are decoded"),
    "weights": to_say("opening weights"),
    "decode": to_say("waiting for the rest to be decoded"),
    "copies": to_say("checking the pictures"),
    "plan": to_say("measuring the machine"),
    "features": to_say("features and heads"),
    "load": to_say("waiting for batches"),
    "forward": to_say("forward passes"),
    "backward": to_say("backward passes"),
    "step": to_say("steps of the optimizer"),
    "steps": to_say("steps"),
    "validation": to_say("measuring on validation"),
    "checkpoint": to_say("checkpoints"),
    "records": to_say("log and screen"),
    "end": to_say("scores and model"),
}
FORECASTS = {"seconds": to_say("time"), "memory": to_say("memory"), "disk": to_say("disk")}


def section(run: Results) -> dict[str, Any] | None:
    """Rows of parts, rows of forecasts, and the share of time in which training waited for pictures."""
    parts = run.metrics.time
    whole = sum(parts.values())
    if not whole:
        return None
    limit = run.metrics.limit
    return {
        "parts": [
            (say(PARTS[name]) if name in PARTS else name, seconds, _share(seconds / whole), 100 * seconds / whole)
            for name, seconds in parts.items()
        ],
        "forecasts": [
            (say(FORECASTS[name]), _amount(name, row.forecast), _amount(name, row.truth))
            for name, row in run.metrics.forecast.items()
            if name in FORECASTS
        ],
        "by": limit.by,
        "waiting": _share(limit.waiting),
        "memory": _amount("memory", run.metrics.memory.peak),
        "device": _amount("memory", run.metrics.memory.device),
    }


def _share(share: float) -> str:
    return f"{decimal(100 * share, '.1f' if share < 0.1 else '.0f')}{NARROW}%"


def _amount(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return format.duration(value) if name == "seconds" else format.size(int(value))

"""How accuracy falls as pictures are turned, moved, blurred, ...: where `report --full` has measured it."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.charts import robustness_curve
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import decimal, say, to_say
from svertka.runs.records import Change
from svertka.runs.results import Results

# kind -> its name, what its strengths are called on the page, and their factor
KINDS = {
    "rotation": (to_say("Turned"), to_say("degrees"), 1),
    "shift": (to_say("Moved"), to_say("percent of the side"), 100),
    "blur": (to_say("Blurred"), to_say("width of the blur in percent of the side"), 100),
    "noise": (to_say("Noisy"), to_say("noise in percent of white"), 100),
    "darker": (to_say("Darker"), to_say("brightness in percent"), 100),
    "brighter": (to_say("Brighter"), to_say("brightness in percent"), 100),
    "JPEG": (to_say("Saved as JPEG"), to_say("quality"), 1),
}


def section(run: Results) -> dict[str, Any] | None:
    """What robustness.json holds: a curve of each kind of change, and its numbers."""
    found = run.robustness
    if found is None:
        return None
    n, plain = found.n, Interval(found.accuracy, found.low, found.high, found.n)
    kinds = [_kind(name, kind, plain) for name, kind in found.kinds.items()]
    return {
        "on": say(format.COUNTED[found.part], n=n),
        "plain": percent(plain.value, n),
        "interval": format.interval(plain),
        "kinds": kinds,
        "left_out": [say(KINDS[name][0]) if name in KINDS else name for name in found.left_out],
    }


def _kind(name: str, found: Change, plain: Interval) -> dict[str, Any]:
    title, unit, factor = KINDS.get(name, (name, found.unit, 1))
    title, unit = say(title), say(unit)
    points = [
        robustness_curve.Point(_strength(p.strength, factor), Interval(p.accuracy, p.low, p.high, plain.n))
        for p in found.points
    ]
    falls = found.falls
    verdict = (
        say("never surely worse")
        if falls is None
        else say("surely worse from {x} on ({unit})", x=_strength(falls, factor), unit=unit)
    )
    return {
        "title": title,
        "unit": unit,
        "verdict": verdict,
        "falls": falls is not None,
        "chart": robustness_curve.chart(points, plain, title=f"{title}: {verdict}", unit=unit),
        "points": [(p.strength, percent(p.share.value, plain.n), format.interval(p.share)) for p in points],
    }


def _strength(value: float, factor: int) -> str:
    return decimal(factor * value, "g")

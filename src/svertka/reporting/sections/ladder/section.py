"""The transfer ladder: the ways in which the weights it started from were used, each with what it scored."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import decimal, say, translated
from svertka.reporting.run_results import RunFolder

PLAIN = "linear head"  # the first rung of this name is what any other is compared with


def section(run: RunFolder) -> dict[str, Any] | None:
    """The rungs from the quickest up; the last that was kept is the model."""
    rungs = run.metrics.get("ladder")
    if not rungs:
        return None
    kept = max((k for k, r in enumerate(rungs) if r.get("kept")), default=None)
    return {
        "rows": [
            {
                "name": translated(str(r.get("rung"))),
                "network": r.get("backbone"),
                "detail": translated(str(r.get("detail") or "")),
                "accuracy": percent(r.get("accuracy"), r.get("n") or 1000),
                "interval": format.interval(Interval(r["accuracy"], r["low"], r["high"], r.get("n") or 1000))
                if "low" in r
                else format.UNKNOWN,
                "left_out": percent(r.get("left_out"), 1000),
                "seconds": r.get("seconds"),
                "best": k == kept,
            }
            for k, r in enumerate(rungs)
        ],
        "overlap": _overlap(rungs, kept),
        "gain": _gain(run.metrics.get("gain"), rungs),
    }


def _gain(gain: dict[str, Any] | None, rungs: list[dict[str, Any]]) -> str | None:
    """How much better the model is than the plain linear head, on the same pictures."""
    if not gain:
        return None
    plain = next((r for r in rungs if r.get("rung") == PLAIN), {})
    return say(
        (
            "Against the plain linear head on {network} the model gains {points} points on the same {n} picture "
            "(95 % interval {low} to {high}): it is right on {gained} that the other takes for another class, "
            "and wrong on {lost} that the other knows."
        ),
        (
            "Against the plain linear head on {network} the model gains {points} points on the same {n} pictures "
            "(95 % interval {low} to {high}): it is right on {gained} that the other takes for another class, "
            "and wrong on {lost} that the other knows."
        ),
        network=quoted(str(plain.get("backbone"))),
        n=gain["n"],
        gained=gain["gained"],
        lost=gain["lost"],
        **{k: decimal(100 * gain[v], "+.1f") for k, v in (("points", "difference"), ("low", "low"), ("high", "high"))},
    )


def _overlap(rungs: list[dict[str, Any]], kept: int | None) -> bool:
    """Whether the winner's interval reaches down to another rung: the difference may be chance."""
    if kept is None or "low" not in rungs[kept]:
        return False
    others = [r["accuracy"] for k, r in enumerate(rungs) if k != kept and r.get("accuracy") is not None]
    return bool(others) and rungs[kept]["low"] <= max(others)

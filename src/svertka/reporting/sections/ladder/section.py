"""The transfer ladder: the ways in which the weights it started from were used, each with what it scored."""

from __future__ import annotations

from typing import Any

from svertka.records import Interval
from svertka.reporting import format
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import decimal, known, say, translated
from svertka.runs.records import Gain, RungResult
from svertka.runs.results import Results

PLAIN = "linear head"  # the first rung of this name is what any other is compared with


def section(run: Results) -> dict[str, Any] | None:
    """The rungs from the quickest up; the last that was kept is the model."""
    rungs = run.metrics.ladder
    if not rungs:
        return None
    kept = max((k for k, r in enumerate(rungs) if r.kept), default=None)
    return {
        "rows": [
            {
                "name": known(r.rung),
                "network": r.backbone,
                "detail": translated(r.detail or ""),
                "accuracy": percent(r.accuracy, r.n or 1000),
                "interval": _interval(r),
                "left_out": percent(r.left_out, 1000),
                "seconds": r.seconds,
                "best": k == kept,
            }
            for k, r in enumerate(rungs)
        ],
        "overlap": _overlap(rungs, kept),
        "gain": _gain(run.metrics.gain, rungs),
    }


def _interval(found: RungResult) -> str:
    if found.accuracy is None or found.low is None or found.high is None:
        return format.UNKNOWN
    return format.interval(Interval(found.accuracy, found.low, found.high, found.n or 1000))


def _gain(gain: Gain | None, rungs: list[RungResult]) -> str | None:
    """How much better the model is than the plain linear head, on the same pictures."""
    if not gain:
        return None
    plain = next((r.backbone for r in rungs if r.rung == PLAIN), None)
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
        network=quoted(str(plain)),
        n=gain.n,
        gained=gain.gained,
        lost=gain.lost,
        points=decimal(100 * gain.difference, "+.1f"),
        low=decimal(100 * gain.low, "+.1f"),
        high=decimal(100 * gain.high, "+.1f"),
    )


def _overlap(rungs: list[RungResult], kept: int | None) -> bool:
    """Whether the winner's interval reaches down to another rung: the difference may be chance."""
    low = None if kept is None else rungs[kept].low
    others = [r.accuracy for k, r in enumerate(rungs) if k != kept and r.accuracy is not None]
    return low is not None and bool(others) and low <= max(others)

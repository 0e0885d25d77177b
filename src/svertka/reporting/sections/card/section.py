"""The model card (Mitchell et al. 2019, arXiv:1810.03993): what the model is for, what it is not for, and its limits.

Only what the run folder shows is said; what svertka cannot know (licenses, consent, who may be harmed) it asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.reporting import format
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import say
from svertka.reporting.run_results import RunFolder

NAMED = 12  # classes listed by name
LOPSIDED = 3.0  # times that the largest class may exceed the smallest


def section(run: RunFolder) -> dict[str, Any]:
    """Use, limits and figures as lists of sentences."""
    return {
        "use": _use(run),
        "limits": _limits(run),
        "figures": _figures(run),
        "unknown": [
            say("under which licenses the pictures and the starting weights may be used"),
            say("whether the people in them, if any, agreed"),
            say("what a wrong answer costs, and whom"),
        ],
    }


def _use(run: RunFolder) -> list[str]:
    names = run.manifest.classes
    listed = ", ".join(map(quoted, names[:NAMED]))
    if len(names) > NAMED:
        listed = say("{names} and {n} more", names=listed, n=len(names) - NAMED)
    return [
        say(
            "Tells apart {n} class of pictures: {names}.",
            "Tells apart {n} classes of pictures: {names}.",
            n=len(names),
            names=listed,
        ),
        say("Made for new pictures of the same kind: same things, taken in the same way."),
        say("Gives a probability for each class; it sums to one, and a person decides what to do with it."),
    ]


def _limits(run: RunFolder) -> list[str]:
    limits = [say("It always answers with one of its classes, also for pictures that show none of them.")]
    looked_at = run.looked_at
    if looked_at is not None:
        limits += format.weakest(looked_at.part, looked_at.evaluation)
        caution = format.caution(looked_at.evaluation.accuracy)
        limits += [caution] if caution else []
    else:
        limits.append(say("How often it is right was not measured."))
    learned = run.manifest.labels[run.manifest.indices("train")]
    counts = np.bincount(learned, minlength=len(run.manifest.classes)).tolist()
    if min(counts) and max(counts) > LOPSIDED * min(counts):
        limits.append(
            say(
                "Frequent classes were learned from {x:.1f} times as many pictures as rare ones.",
                x=max(counts) / min(counts),
            )
        )
    if run.check is not None and (n := len(run.check.get("shortcuts", []))):
        limits.append(
            say(
                (
                    "The check found {n} shortcut by which a class can be told without looking at the thing itself: "
                    "elsewhere it may fail."
                ),
                (
                    "The check found {n} shortcuts by which a class can be told without looking at the thing itself: "
                    "elsewhere it may fail."
                ),
                n=n,
            )
        )
    found = run.model.get("preprocess") or {}
    if {"width", "height"} <= found.keys():
        limits.append(
            say(
                "It sees {width} × {height} pixels: what is smaller than a few of them is lost.",
                width=found["width"],
                height=found["height"],
            )
        )
    return limits


def _figures(run: RunFolder) -> list[tuple[str, str]]:
    rows = []
    for part, scored in run.scored.items():
        accuracy = scored.evaluation.accuracy
        rows.append(
            (
                say(format.ON[part], n=accuracy.n),
                say(
                    "{accuracy} right (95\u202f% interval {interval})",
                    accuracy=percent(accuracy.value, accuracy.n),
                    interval=format.interval(accuracy),
                ),
            )
        )
    return rows

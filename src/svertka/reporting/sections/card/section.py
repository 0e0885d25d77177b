"""The model card (Mitchell et al. 2019, arXiv:1810.03993): what the model is for, what it is not for, and its limits.

Only what the run folder shows is said; what svertka cannot know (licenses, consent, who may be harmed) it asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.reporting import format
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import say
from svertka.runs.results import Results

NAMED = 12  # classes listed by name
LOPSIDED = 3.0  # times that the largest class may exceed the smallest


def section(run: Results) -> dict[str, Any]:
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


def _use(run: Results) -> list[str]:
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


def _limits(run: Results) -> list[str]:
    limits = [say("It always answers with one of its classes, also for pictures that show none of them.")]
    if run.shown is not None:
        found = run.evaluations[run.shown.part]
        limits += format.weakest(run.shown.part, found)
        caution = format.caution(found.accuracy)
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
    if run.findings is not None and (n := len(run.findings.shortcuts)):
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
    sees = run.model.preprocess
    if sees.width is not None and sees.height is not None:
        limits.append(
            say(
                "It sees {width} × {height} pixels: what is smaller than a few of them is lost.",
                width=sees.width,
                height=sees.height,
            )
        )
    return limits


def _figures(run: Results) -> list[tuple[str, str]]:
    rows = []
    for part, found in run.evaluations.items():
        accuracy = found.accuracy
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

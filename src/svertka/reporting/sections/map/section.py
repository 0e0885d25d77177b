"""The frozen network's view of the data: a map of the pictures, a panel for each class, and who looks like whom.

One panel for each class needs one color, and says as much with forty classes as with two: a class in a crowd of
others is seen at once, which a legend of forty colors hides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.reporting import pictures
from svertka.reporting.charts import charts
from svertka.reporting.format import percent, quoted
from svertka.reporting.i18n.translate import decimal, say
from svertka.runs.results import Results

PANELS = 12  # classes with a panel: those with the most mistakes, and of them the largest


def section(run: Results) -> dict[str, Any] | None:
    """Panels of the map, and the training pictures most alike to the worst mistakes; None without a map."""
    if not run.map:
        return None
    index = run.map["index"]
    wrong = _wrong(run)
    return {
        "n": len(index),
        "classes": len(run.manifest.classes),
        "near": "near" in run.map,
        "share": percent(float(run.map["share"]), 100) if "share" in run.map else None,
        "judged": "validation" in run.predictions,
        "panels": _panels(run, np.isin(index, list(wrong))),
        "alikes": _alikes(run, wrong),
    }


def _wrong(run: Results) -> dict[int, str]:
    """Validation pictures that were taken for another class: which."""
    scored = run.predictions.get("validation")
    if scored is None:
        return {}
    guesses = scored.guess
    missed = guesses != scored.labels
    names = run.manifest.classes
    return {int(i): names[g] for i, g in zip(scored.index[missed], guesses[missed], strict=True)}


def _panels(run: Results, wrong: np.ndarray) -> list[dict[str, Any]]:
    points = run.map["near" if "near" in run.map else "points"]
    labels, names = run.manifest.labels[run.map["index"]], run.manifest.classes
    sizes, missed = (np.bincount(some, minlength=len(names)) for some in (labels, labels[wrong]))
    chosen = sorted(sorted(np.flatnonzero(sizes), key=lambda c: (-missed[c], -sizes[c]))[:PANELS])
    return [
        {
            "name": names[c],
            "n": int(sizes[c]),
            "wrong": int(missed[c]),
            "chart": charts.scatter(
                points,
                [("hit", (labels == c) & ~wrong), ("miss", (labels == c) & wrong)],
                title=say("Where the pictures of {name} lie on the map", name=quoted(names[c])),
            ),
        }
        for c in chosen
    ]


def _alikes(run: Results, wrong: dict[int, str]) -> list[dict[str, Any]]:
    if "asked" not in run.map:
        return []
    names, labels, paths = run.manifest.classes, run.manifest.labels, run.manifest.paths
    rows = zip(*(run.map[name] for name in ("asked", "similar", "cosine", "pixels")), strict=True)
    return [
        {
            "picture": pictures.shown(pixels[0]),
            "truth": names[labels[asked]],
            "guess": wrong.get(int(asked)),
            "path": paths[asked],
            "near": [
                {
                    "picture": pictures.shown(one),
                    "name": names[labels[i]],
                    "cosine": decimal(float(cosine), ".2f"),
                    "path": paths[i],
                    "other": labels[i] != labels[asked],
                }
                for i, cosine, one in zip(similar, cosines, pixels[1:], strict=True)
            ],
        }
        for asked, similar, cosines, pixels in rows
    ]

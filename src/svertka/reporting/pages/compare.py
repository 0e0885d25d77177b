"""The page of `svertka compare`: how two runs differ, class by class, with the pictures that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from svertka.records import Interval
from svertka.reporting import pictures
from svertka.reporting.charts import charts
from svertka.reporting.format import interval, percent
from svertka.reporting.templates import render

SHOWN = 60  # changed pictures of a pair
CLASSES = 60  # rows of the table of classes


def page(found: Mapping[str, Any], pixels: Mapping[str, np.ndarray]) -> str:
    """What `compare --json` prints, and the pixels uint8 (h, w, 1 or 3) by digest, as one HTML page."""
    n = found["n"]
    axis = charts.axis_for(run["low"] for run in found["runs"])
    runs = [
        {
            "name": run["run"],
            "chart": charts.whisker(run["accuracy"], run["low"], run["high"], axis),
            "value": percent(run["accuracy"], n),
            "interval": interval(Interval(run["accuracy"], run["low"], run["high"], n)),
        }
        for run in found["runs"]
    ]
    pairs = [_pair(pair, pixels) for pair in found["pairs"]]
    return render("compare", found=found, runs=runs, scale=charts.scale(axis), pairs=pairs)


def _pair(pair: Mapping[str, Any], pixels: Mapping[str, np.ndarray]) -> dict[str, Any]:
    moved = sorted(pair["per_class"].items(), key=lambda item: (-abs(item[1]["difference"]), item[0]))
    cards = [
        {
            **row,
            **(pictures.shown(pixels[row["digest"]]) if row["digest"] in pixels else {"uri": None, "tiny": False}),
        }
        for row in pair["changed"][:SHOWN]
    ]
    return {
        **pair,
        "classes": [(name, d) for name, d in moved if d["gained"] or d["lost"]][:CLASSES],
        "cards": cards,
        "all": pair["gained"] + pair["lost"],
    }

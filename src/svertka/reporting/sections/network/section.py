"""What was trained: the network as a drawing of its silhouette, and as a table of its layers."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from markupsafe import Markup

from svertka.reporting.format import UNKNOWN
from svertka.reporting.i18n.translate import say
from svertka.runs import layout
from svertka.runs.records import Layer
from svertka.runs.results import Results

HIGH, LEAST = 116, 10  # of the tallest and the lowest box of the drawing
GAP, BASE, LABELS = 26, 24, 40  # between boxes; the edge above; room for two lines below
NAMED = 12  # boxes beyond which only some are labeled
LETTER = 10  # pixels that a letter of a label may take, so that labels never touch


def section(run: Results) -> dict[str, Any]:
    """Name, size, input and output of the network; drawing and table where the run holds its layers."""
    found = run.model.preprocess
    weights = run.path / layout.MODEL / layout.MODEL_WEIGHTS
    rows = [] if run.layers is None else run.layers.layers
    totals = None if run.layers is None else run.layers.totals
    return {
        **name_of(run),
        "parameters": run.metrics.parameters,
        "input": [n for n in (found.channels, found.height, found.width) if n is not None],
        "classes": len(run.manifest.classes),
        "bytes": weights.stat().st_size if weights.is_file() else None,
        "macs": totals.macs if totals else None,
        "forward_bytes": totals.forward_bytes if totals else None,
        "drawing": silhouette(rows) if rows else None,
        "rows": [_row(row) for row in rows],
    }


def name_of(run: Results) -> dict[str, Any]:
    """The network by name, or by notation where it has no name."""
    name = str(run.model.network.name or run.recipe.recipe.get("net") or "network")
    if " " in name:
        return {"name": say("network in notation"), "notation": name}
    return {"name": name, "notation": None}


def _row(row: Layer) -> dict[str, Any]:
    reach = row.receptive_field
    return {
        "name": row.name,
        "word": row.word,
        "output": " × ".join(map(str, row.output)),
        "weights": row.weights + row.biases,
        "macs": row.macs,
        "field": UNKNOWN if reach is None else " × ".join(map(str, reach)) if isinstance(reach, list) else str(reach),
    }


def part_of(name: str) -> str:
    """The part of the silhouette that a layer belongs to: stages.0.1.conv -> stages.0."""
    pieces = name.split(".")
    return ".".join(pieces[: 2 if pieces[0] == "stages" else 1])


def silhouette(rows: list[Layer]) -> Markup:
    """Input, stem, stages, pool and head as boxes: as high as the maps are, as wide as there are channels."""
    shaped = [row for row in rows if row.output]  # a single number has no shape to draw
    parts = [(name, list(group)[-1].output) for name, group in groupby(shaped, lambda row: part_of(row.name))]
    largest = max(max(shape[1:], default=1) for _, shape in parts)
    x, boxes = 2.0, []
    for k, (name, shape) in enumerate(parts):
        high = LEAST + (HIGH - LEAST) * math.sqrt(max(shape[1:], default=1) / largest)
        wide = 8 + 5 * math.log2(1 + shape[0])
        size = "×".join(map(str, shape))
        middle, top = x + wide / 2, BASE + (HIGH - high) / 2
        labeled = len(parts) <= NAMED or k in (0, len(parts) - 1) or k % (len(parts) // 6) == 0
        room = max(GAP, LETTER * (len(size) + 1) - wide) if labeled else GAP / 2
        boxes.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"><title>{}</title></rect>').format(
                x + room / 2, top, wide, high, f"{name}: {size}"
            )
        )
        if labeled:
            text = Markup('<text class="middle" x="{:.1f}" y="{}">{}</text>')
            below = BASE + HIGH + 20
            boxes.append(text.format(middle + room / 2, below, name.removeprefix("stages.") if k else say("input")))
            boxes.append(
                Markup('<text class="middle quiet" x="{:.1f}" y="{}">{}</text>').format(
                    middle + room / 2, below + 17, size
                )
            )
        x += wide + room
    title = say(
        "The network in {n} part, from input to output", "The network in {n} parts, from input to output", n=len(parts)
    )
    return Markup(
        '<svg class="silhouette" width="{0:.0f}" height="{1}" viewBox="0 0 {0:.0f} {1}" role="img" '
        'aria-label="{2}">{3}</svg>'
    ).format(x + 2, BASE + HIGH + LABELS, title, Markup("").join(boxes))

"""How bytes become input, and some pictures as the network sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.reporting import pictures, words
from svertka.reporting.folder import RunFolder
from svertka.reporting.speech import say, to_say

PREPARED = 10  # pictures shown as the network sees them
FIT = {
    "stretch": to_say("stretched to this size, whatever their shape"),
    "crop": to_say("scaled until the shorter side fits, then cut from the middle"),
    "pad": to_say("scaled until they fit whole, the rest filled up"),
}
COLOUR = {1: to_say("grey"), 3: to_say("red, green, blue")}


def section(run: RunFolder) -> dict[str, Any]:
    """The steps of the preparation as they are stored in the model, and examples."""
    found = run.model.get("preprocess") or {}
    mean, std = found.get("mean"), found.get("std")
    return {
        "size": [found[k] for k in ("width", "height")] if {"width", "height"} <= found.keys() else None,
        "colour": say(COLOUR[found["channels"]]) if found.get("channels") in COLOUR else None,
        "fit": say(FIT[found["fit"]]) if found.get("fit") in FIT else None,
        "mean": words.value([round(float(v), 4) for v in mean]) if mean else None,
        "std": words.value([round(float(v), 4) for v in std]) if std else None,
        "pictures": _examples(run),
    }


def _examples(run: RunFolder) -> list[dict[str, Any]]:
    """Examples that are not mistakes, one of each class first."""
    if run.examples is None:
        return []
    wrong = {int(i) for s in run.scored.values() for i in s.index[s.probability.argmax(1) != s.labels]}
    fine = np.array([k for k, i in enumerate(run.examples.index.tolist()) if i not in wrong], dtype=np.int64)
    _, first = np.unique(run.manifest.labels[run.examples.index[fine]], return_index=True)
    order = [*fine[first], *np.delete(fine, first)]
    return [
        {
            **pictures.shown(run.examples.pixels[k]),
            "name": run.manifest.classes[run.manifest.labels[run.examples.index[k]]],
        }
        for k in order[:PREPARED]
    ]

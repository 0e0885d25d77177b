"""Where the pictures come from, how many of each class are in each part, and what could not be read."""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.data.folders.part_names import PART_NAMES
from svertka.reporting import format
from svertka.reporting.i18n.translate import say, to_say, translated
from svertka.runs.results import Results

FILES = 50  # unreadable files listed
FOR = {
    "train": to_say("{n} for training"),
    "validation": to_say("{n} for validation"),
    "test": to_say("{n} for test"),
    "undecided": to_say("{n} for no part yet"),
}


def section(run: Results) -> dict[str, Any]:
    """The table of classes by parts, and the files that were passed over."""
    manifest = run.manifest
    usable = np.ones(len(manifest), dtype=bool)
    usable[list(manifest.reasons)] = False
    counts = np.zeros((len(manifest.classes), len(PART_NAMES)), dtype=np.int64)
    np.add.at(counts, (manifest.labels[usable], manifest.parts[usable]), 1)  # (classes, parts)
    shown = [p for p in range(len(PART_NAMES)) if counts[:, p].any()]
    totals = counts.sum(1)
    skipped = [(u.path, u.reason) for u in run.metrics.skipped]
    files = sum(u.files for u in run.metrics.skipped)
    unreadable = [(manifest.paths[i], why) for i, why in manifest.reasons.items()]
    return {
        "where": run.recipe.data.where,
        "pictures": int(totals.sum()),
        "parts": [say(format.PART[PART_NAMES[p]]) for p in shown],
        "divided": ", ".join(say(FOR[PART_NAMES[p]], n=int(counts[:, p].sum())) for p in shown),
        "classes": [
            {
                "name": name,
                "counts": [int(counts[i, p]) for p in shown],
                "total": int(totals[i]),
                "share": 100 * totals[i] / max(1, totals.max()),
            }
            for i, name in enumerate(manifest.classes)
        ],
        "fewest": int(min(totals, default=0)),
        "most": int(max(totals, default=0)),
        "aside": [
            _files(say("{n} file could not be read", "{n} files could not be read", n=len(unreadable)), unreadable),
            _files(say("{n} file left aside", "{n} files left aside", n=files), skipped),
        ],
    }


def _files(what: str, files: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "what": what,
        "count": len(files),
        "files": [(path, translated(why)) for path, why in files[:FILES]],
    }

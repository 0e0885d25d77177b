"""Where a classifier fails, as plain data for a page, a table or JSON: from predictions and facts of the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from svertka.evaluation.errors.label_errors import planted, suspects
from svertka.evaluation.errors.slices import Column, Slice, slices
from svertka.evaluation.metrics import least_certain, most_confused, worst_mistakes

PAIRS = 12  # most confused pairs
SHOWN = 24  # pictures of each sort
LISTED = 100  # suspected labels
SLICES, EACH = 24, 2  # shown in all, and of one fact


def failing(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    paths: Sequence[str],
    facts: Mapping[str, Column],
) -> dict[str, Any]:
    """The failures of (n, c) probabilities on (n,) labels; `paths` (n,) name the pictures.

    `place` in the result is a row of `probabilities`. Suspected labels mean something only for pictures that were not
    learned from.
    """
    counts = np.zeros((len(classes),) * 2, np.int64)
    np.add.at(counts, (labels, probabilities.argmax(1)), 1)
    pairs = most_confused(counts, classes, PAIRS)
    ranked, proof = suspects(probabilities, labels), planted(probabilities, labels)

    def row(place: int, claimed: int | None = None) -> dict[str, Any]:
        guess = int(probabilities[place].argmax()) if claimed is None else claimed
        return {
            "place": place, "path": paths[place], "label": classes[labels[place]], "guess": classes[guess],
            "given": float(probabilities[place, labels[place]]), "confidence": float(probabilities[place, guess]),
        }  # fmt: skip

    cut = slices(probabilities.argmax(1) == labels, labels, classes, facts)
    return {
        "n": len(labels),
        "confused": [{"truth": p.truth, "guess": p.predicted, "count": p.count, "share": p.share} for p in pairs],
        "surest": [row(i) for i in worst_mistakes(probabilities, labels, SHOWN).tolist()],
        "least_certain": [row(i) for i in least_certain(probabilities, SHOWN).tolist()],
        "suspects": {
            "count": ranked.count,
            "planted": None if proof is None else proof.to_dict(),
            "shown": [row(i, int(ranked.claimed[i])) for i in ranked.order[: min(ranked.count, LISTED)].tolist()],
        },
        "slices": {
            "looked_at": len(cut),
            "shown": [s.to_dict() for s in _varied(cut)],
        },
    }


def _varied(cut: Sequence[Slice]) -> list[Slice]:
    """The most telling slices, a few of each fact, so that one that cuts in many ways leaves room for the others."""
    taken: dict[tuple[str, bool], int] = {}
    shown = []
    for found in cut:
        key = found.fact, found.of is None
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= EACH:
            shown.append(found)
    return shown[:SLICES]

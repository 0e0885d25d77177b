"""What `report --full` measures on the pictures of a run: how far they may change, and what simpler answers reach.

The results are plain data for the run folder, each with the SHA-256 of the weights that it is true of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svertka.bundle import Model
from svertka.verbs.baselines import beside
from svertka.verbs.reopening import reopen
from svertka.verbs.robustness import robustness

SECONDS = 60.0  # for the changes; the baselines have limits of their own


def probe(run: Path, model: Model, weights: str, *, seconds: float = SECONDS) -> dict[str, dict[str, Any]]:
    """{"robustness": ..., "baselines": ...} of a run; changes are tried on validation where there is any.

    Args:
        run: the folder; the data that its recipe.json names are read again.
        model: its model.
        weights: the SHA-256 of that model's weights.
        seconds: for the changes; fewer pictures take part where a network is slow.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed, or no picture judged the run.
    """
    found = reopen(run)
    part = "validation" if "validation" in found.answers else "test"
    changed = robustness(model, found.store.pixels, found.answers[part].index, found.files.labels, seconds=seconds)
    return {
        "robustness": {"weights": weights, "part": part, **changed},
        "baselines": {"weights": weights, **beside(found)},
    }

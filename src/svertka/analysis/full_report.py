"""What `report --full` measures on the pictures of a run: how far they may change, and what simpler answers reach.

The results are plain data for the run folder, each with the SHA-256 of the weights that it is true of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svertka.analysis.corruption_robustness import robustness
from svertka.analysis.simple_baselines import beside
from svertka.common.time_budget import Budget
from svertka.models import Model
from svertka.runs.reopen import reopen

SECONDS = 60.0  # for reading the pictures again and both
SIMPLER = 0.3  # share of it for the baselines


def probe(run: Path, model: Model, weights: str, *, seconds: float = SECONDS) -> dict[str, dict[str, Any]]:
    """{"robustness": ..., "baselines": ...} of a run; changes are tried on validation where there is any.

    Args:
        run: the folder; the data that its recipe.json names are read again.
        model: its model.
        weights: the SHA-256 of that model's weights.
        seconds: for all of it; fewer pictures and kinds of change take part where they do not fit. Only reading the
            data is not cut short, where the cache does not hold them any more.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed, or no picture judged the run.
    """
    budget = Budget(seconds)
    found = reopen(run)
    simpler = beside(found, seconds=max(0.0, SIMPLER * budget.left()))
    part = "validation" if "validation" in found.answers else "test"
    index, left = found.answers[part].index, max(0.0, budget.left())
    changed = robustness(model, found.store.pixels, index, found.files.labels, seconds=left)
    return {
        "robustness": {"weights": weights, "part": part, **changed},
        "baselines": {"weights": weights, **simpler},
    }

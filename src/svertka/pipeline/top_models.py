"""The models of the best passes, where the recipe wants more than one: `best/pass-N` in the run folder.

Each is a model as `model/` is, for `predict`, `evaluate` and `export`, but with a temperature of 1.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from svertka.models import Model, describe
from svertka.pipeline.context import Context
from svertka.records import Epoch, LoopRecord
from svertka.training.state import State

FOLDER = "best"


def best_passes(history: list[tuple[float, float]], count: int) -> list[int]:
    """The numbers, from 1, of the passes of the highest accuracy; equal ones by the lower loss, then the later first.

    >>> best_passes([(0.8, 0.5), (0.9, 0.4), (0.9, 0.3)], 2)
    [3, 2]
    """
    numbers = range(1, len(history) + 1)
    ranked = sorted(numbers, key=lambda n: (history[n - 1][0], -history[n - 1][1], n), reverse=True)
    return ranked[:count]


class TopModels:
    """Writes the model of a pass that is among the best so far, and takes away one that no longer is."""

    def __init__(self, context: Context, state: State) -> None:
        self.context, self.state, self.folder = context, state, context.run.path / FOLDER

    def update(self, record: LoopRecord) -> None:
        """Do so after each pass.

        Raises:
            SvertkaError: the folder cannot be written.
        """
        if not isinstance(record, Epoch) or self.context.recipe.keep == 1:
            return
        context, best = self.context, best_passes(self.state.history, self.context.recipe.keep)
        if record.epoch in best:
            net = self.state.measured_net
            spec = describe(net, context.recipe.net or "", context.preprocess.shape)
            Model(net, context.classes, context.preprocess, spec).save(self._place(record.epoch))
        for place in self.folder.glob("pass-*"):
            if place not in map(self._place, best):
                shutil.rmtree(place, ignore_errors=True)

    def scores(self) -> list[dict[str, Any]]:
        """What the kept ones scored, best first; nothing where only the run's own model is kept."""
        if self.context.recipe.keep == 1:
            return []
        best = best_passes(self.state.history, self.context.recipe.keep)
        best = [n for n in best if self._place(n).exists()]  # a rescue may return to passes whose models have gone
        rows = [(n, *self.state.history[n - 1]) for n in best]
        return [{"pass": n, "model": f"{FOLDER}/pass-{n}", "accuracy": a, "loss": loss} for n, a, loss in rows]

    def _place(self, number: int) -> Path:
        return self.folder / f"pass-{number}"

"""Where a climb is, so that a run that was stopped or killed in the middle of a rung goes on to the same weights.

recipe.json holds under "climb" the seconds that the run has taken so far and what was settled for each rung when it was
met: how it computes, how many passes or views. Asked again, with less time left, that might come out otherwise.
checkpoint/RUNG/ holds the state of a rung that learns (training/checkpoint.py); that of a finished one, its weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svertka.errors import RunError
from svertka.runs import layout
from svertka.runs.run_folder import Run


@dataclass
class LadderProgress:
    """What one climb has settled so far.

    run      its folder
    started  time.perf_counter() when this process began
    earlier  seconds that earlier processes took for it
    settled  by the name of the rung
    """

    run: Run
    started: float
    earlier: float
    settled: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, run: Run, started: float) -> LadderProgress:
        """Those of a run whose recipe.json is written.

        Raises:
            RunError: recipe.json is damaged.
        """
        state = run.read(layout.RECIPE).get("climb", {"seconds": 0.0, "rungs": {}})
        try:
            return cls(run, started, float(state["seconds"]), dict(state["rungs"]))
        except (KeyError, TypeError, ValueError) as why:
            raise RunError(f"{run.path / layout.RECIPE} is damaged: {why!r}.") from why

    @property
    def spent(self) -> float:
        """Seconds that the run has taken."""
        return self.earlier + time.perf_counter() - self.started

    def decide_once(self, rung: str, decide: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was settled for a rung when the climb first came to it; now, where it has just come."""
        if rung not in self.settled:
            self.settled[rung] = decide()
            self.write()
        return self.settled[rung]

    def was_skipped(self, rung: str) -> bool:
        """Whether there was no time for a rung."""
        return self.settled.get(rung, {}).get("epochs") == 0

    def write(self) -> None:
        """Keep what is settled, and the time."""
        config = self.run.read(layout.RECIPE)
        self.run.write(layout.RECIPE, {**config, "climb": {"seconds": round(self.spent, 3), "rungs": self.settled}})

    def checkpoint_dir(self, rung: str) -> Path:
        """The folder for the checkpoint of a rung."""
        return self.run.path / layout.CHECKPOINT / rung.replace(" ", "-")

"""The learning rate of a step, from the recipe, how far training is, and what was measured so far."""

from __future__ import annotations

from collections.abc import Sequence

from svertka.training.recipe import Recipe
from svertka.training.schedules.lr_schedule import DROP, drops, factor

SLOWER = 0.5  # what a rescue leaves of the rate


def rate_at(recipe: Recipe, step: int, steps: int, losses: Sequence[float] = (), rescues: int = 0) -> float:
    """The learning rate of one step, a pure function of how far training is and of what was measured so far.

    Args:
        recipe: its rate, schedule, warmup and wait.
        step: from 0.
        steps: of the whole run.
        losses: after each finished pass.
        rescues: times that training went back to lower the rate.
    """
    share = factor(recipe.schedule, step, steps, recipe.warmup)
    if recipe.schedule == "plateau":
        share *= DROP ** drops(losses, recipe.wait)
    return (recipe.learning_rate or 0.0) * share * SLOWER**rescues

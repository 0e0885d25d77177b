"""When the loss is no longer a number: back to the best weights so far, and on at half the rate.

Where training goes back to is part of every checkpoint, so a run that is killed in between goes back to the same place.
"""

from __future__ import annotations

import math

from torch import Tensor

from svertka.errors import NotFinite
from svertka.records import Note
from svertka.training.recipe import Recipe
from svertka.training.schedules.lr_schedule import SLOWER
from svertka.training.state import State, snapshot


def check_loss(value: float, step: int, recipe: Recipe, index: Tensor, logits: Tensor | None = None) -> None:
    """Stop on a loss that is not a number.

    Args:
        value: the loss.
        step: of the run, from 0.
        recipe: for what to advise.
        index: (b,) the pictures it was computed from.
        logits: (b, classes) of them, where nothing was learned from them yet.

    Raises:
        NotFinite: it is not; carries the pictures whose own outputs are not, or all of the batch.
    """
    if math.isfinite(value):
        return
    if logits is not None and not logits.isfinite().all():
        index = index[~logits.isfinite().all(1)]
    then = "nothing was learned from it" if logits is not None else "it was read after the step had been taken"
    raise NotFinite(f"The loss became {value} at step {step + 1}; {then}.", _advice(recipe), tuple(index.tolist()))


def check_weights(state: State, recipe: Recipe, loss: float | None = None) -> None:
    """Stop at the end of a pass that spoilt the weights: they, or the validation `loss`, are not numbers.

    Raises:
        NotFinite: so it is.
    """
    if (loss is None or math.isfinite(loss)) and all(p.isfinite().all() for p in state.net.parameters()):
        return
    what = "weights are" if loss is None or math.isfinite(loss) else "validation loss is"
    raise NotFinite(f"The {what} no longer finite after step {state.step}.", _advice(recipe))


def keep_start(state: State, recipe: Recipe) -> None:
    """Keep the first weights, so that there is something to go back to before the first pass is over."""
    if recipe.rescue and not state.best_tensors:
        state.best_tensors = snapshot(state.measured_net)


def restore_best(state: State, recipe: Recipe, trouble: NotFinite, per_epoch: int) -> Note:
    """Take the best weights so far, forget momentum, lower the rate; says so.

    Raises:
        NotFinite: the trouble itself, when the recipe allows no more rescues.
    """
    if state.rescues >= recipe.rescue:
        raise trouble
    state.rescues += 1
    state.net.load_state_dict(state.best_tensors)
    if state.average is not None:
        state.average.module.load_state_dict(state.best_tensors)
    state.optimizer.state.clear()
    state.slow = []
    state.history = state.history[: state.best_epoch]
    state.step = state.best_epoch * per_epoch
    state.begin_pass()
    where = f"the end of pass {state.best_epoch}" if state.best_epoch else "the start"
    return Note(
        f"{trouble.fact} Training went back to {where} and goes on at {SLOWER**state.rescues:g} of the rate "
        f"(rescue {state.rescues} of {recipe.rescue}).",
        back_to=state.step,
        pictures=trouble.pictures,
    )


def _advice(recipe: Recipe) -> str:
    return f"A lower rate helps most often: --set learning_rate={(recipe.learning_rate or 0) / 3:.3g}."

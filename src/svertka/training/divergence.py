"""When the loss is no longer a number: back to the best weights so far, and on at half the rate.

Where training goes back to is part of every checkpoint, so a run that is killed in between goes back to the same place.
"""

from __future__ import annotations

import math

from torch import Tensor

from svertka.common.messages import Value, message
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
    at = {"value": str(value), "step": str(step + 1)}
    if logits is not None and not logits.isfinite().all():
        index = index[~logits.isfinite().all(1)]
    fact = (
        message("loss-late", "The loss became {value} at step {step}; it was read after the step had been taken.", **at)
        if logits is None
        else message("loss", "The loss became {value} at step {step}; nothing was learned from it.", **at)
    )
    raise NotFinite(fact, _advice(recipe), tuple(index.tolist()))


def check_weights(state: State, recipe: Recipe, loss: float | None = None) -> None:
    """Stop at the end of a pass that spoilt the weights: they, or the validation `loss`, are not numbers.

    Raises:
        NotFinite: so it is.
    """
    if (loss is None or math.isfinite(loss)) and all(p.isfinite().all() for p in state.net.parameters()):
        return
    fact = (
        message("weights-lost", "The weights are no longer finite after step {step}.", step=str(state.step))
        if loss is None or math.isfinite(loss)
        else message(
            "validation-lost", "The validation loss is no longer finite after step {step}.", step=str(state.step)
        )
    )
    raise NotFinite(fact, _advice(recipe))


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
    values: dict[str, Value] = {
        "fact": trouble.fact,
        "share": f"{SLOWER**state.rescues:g}",
        "n": state.rescues,
        "most": recipe.rescue,
    }
    text = (
        message(
            "went-back",
            "{fact} Training went back to the end of pass {epoch} and goes on at {share} of the rate (rescue {n} of "
            "{most}).",
            epoch=state.best_epoch,
            **values,
        )
        if state.best_epoch
        else message(
            "went-back-to-start",
            "{fact} Training went back to the start and goes on at {share} of the rate (rescue {n} of {most}).",
            **values,
        )
    )
    return Note(text, back_to=state.step, pictures=trouble.pictures)


def _advice(recipe: Recipe) -> str:
    return f"A lower rate helps most often: --set learning_rate={(recipe.learning_rate or 0) / 3:.3g}."

"""From gradients to new weights: unscaled, clipped, the optimizer's step, the slow weights, the running average."""

from __future__ import annotations

import torch
from torch.nn.utils import clip_grad_norm_

from svertka.training.optimizer_factory import moved
from svertka.training.recipe import Recipe
from svertka.training.state import State

HALFWAY = 0.5  # from the slow weights to the fast ones


def update(state: State, recipe: Recipe) -> None:
    """Move the weights by the gradients that were summed up."""
    if recipe.lookahead:
        _remember_slow(state)
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)  # type: ignore[arg-type]
    if recipe.clip_grad_norm:
        clip_grad_norm_(state.net.parameters(), recipe.clip_grad_norm)
    if state.scaler is None:
        state.optimizer.step()
    else:  # no step where a gradient overflowed: the next loss is scaled less
        state.scaler.step(state.optimizer)  # type: ignore[arg-type]
        state.scaler.update()
    if recipe.lookahead and (state.step + 1) % recipe.lookahead == 0:
        _return_halfway(state)
    if state.average is not None:
        state.average.update_parameters(state.net)


def _remember_slow(state: State) -> None:
    """The weights before the first step are the first slow ones."""
    if not state.slow:
        state.slow = [p.detach().clone() for p in moved(state.optimizer)]


@torch.no_grad()
def _return_halfway(state: State) -> None:
    """Slow weights go half-way to the fast ones, which go on from there (Zhang et al. 2019, arXiv:1907.08610)."""
    weights = moved(state.optimizer)
    torch._foreach_lerp_(state.slow, weights, HALFWAY)
    torch._foreach_copy_(weights, state.slow)

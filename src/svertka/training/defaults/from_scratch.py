"""What the recipe leaves open is chosen from the data by their kind, and every choice has its reason."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, TypeAlias

from svertka.common.messages import message
from svertka.kinds import kind
from svertka.kinds.base import Choices
from svertka.optimizers.registry import OPTIMIZERS
from svertka.training.recipe import Recipe

Facts: TypeAlias = Any  # what is known of samples of any kind before the first step: `Kind.facts`
WIDER = {"medium": "large"}  # what a network gives way to where far more time is given than it can use
AMPLE = 75  # passes over whole pictures from which that is so: the wider one, four times as dear, gets 25 that grow


def choose_size(recipe: Recipe, facts: Facts) -> tuple[Recipe, dict[str, str]]:
    """Fill in what must be known before samples are read: their size, and how they are brought to it."""
    return _fill(recipe, kind(facts.kind).first_choices(facts, recipe.get))


def choose_rest(recipe: Recipe, facts: Facts) -> tuple[Recipe, dict[str, str]]:
    """Fill in everything else: network, length, optimizer, regularization, augmentation."""
    choices: Choices = {}
    for name, choice in kind(facts.kind).choices(facts, recipe.get).items():
        choices[name] = choice
        if name == "epochs":
            optimizer, batch = (recipe.get(f) or choices[f][0] for f in ("optimizer", "batch_size"))
            choices |= _of_optimizer(optimizer, batch)
    return _fill(recipe, choices)


def widen(recipe: Recipe, chosen: Collection[str], fit: float) -> tuple[Recipe, dict[str, str]]:
    """A wider network, and what keeps it from learning its pictures by heart, where the time allows.

    Args:
        recipe: filled in.
        chosen: fields of it that nobody asked for; no other is changed.
        fit: passes of its network over pictures of full size that fit into the time.
    """
    wider = WIDER.get(recipe.net or "")
    if wider is None or "net" not in chosen or fit < AMPLE:
        return recipe, {}
    reasons: dict[str, str] = {
        "net": message(
            "net.wider",
            "{n} passes of `{net}` would fit: fewer of a wider network teach more (LOG.md)",
            n=round(fit),
            net=str(recipe.net),
        )
    }
    changes: dict[str, Any] = {"net": wider}
    if "random_erasing" in chosen:
        changes["random_erasing"], reasons["random_erasing"] = (
            0.4,
            message("erasing.wide", "a wide network learns its pictures by heart otherwise (arXiv:1708.04552)"),
        )
    return recipe.replace(**changes), reasons


def _of_optimizer(name: str, batch: int) -> Choices:
    row = OPTIMIZERS[name]
    peak = round(row.peak_from_scratch * math.sqrt(batch / 256), 6)
    return {
        "learning_rate": (
            peak,
            message(
                "rate.peak", "the peak that one-cycle {optimizer} bears at batch {batch}", optimizer=name, batch=batch
            ),
        ),
        "momentum": row.momentum,
        "weight_decay": row.weight_decay,
    }


def _fill(recipe: Recipe, choices: Choices) -> tuple[Recipe, dict[str, str]]:
    chosen = {k: v for k, v in choices.items() if recipe.get(k) is None}
    filled = recipe.replace(**{k: v for k, (v, _) in chosen.items()})
    return filled, {k: reason for k, (_, reason) in chosen.items()}

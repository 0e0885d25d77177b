"""Optimizers by name, with weight decay on weights only, and a rate that may fall with depth.

Biases and the scales and shifts of norms are left out of the decay: they have no excess capacity to restrain, and
decaying them costs accuracy (Goyal et al. 2017, arXiv:1706.02677, section 5.3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from svertka.blocks import Net
from svertka.optimizers.base import Stepper
from svertka.optimizers.registry import OPTIMIZERS, Groups
from svertka.training.layer_decay import distances
from svertka.training.recipe import Recipe

USUAL = 0.9  # momentum where the recipe names none

Optimizer = Stepper | torch.optim.Optimizer


def make_optimizer(net: Net, recipe: Recipe, *, bfloat16: bool = False) -> Optimizer:
    """The recipe's optimizer over the parameters of `net` that take gradients; its rate is set anew at every step.

    With `bfloat16`, as where the plan found it faster, Muon multiplies its large matrices in it.
    """
    momentum = USUAL if recipe.momentum is None else recipe.momentum
    return OPTIMIZERS[recipe.optimizer or ""].build(
        grouped(net, recipe), recipe.learning_rate or 0.0, momentum, bfloat16
    )


def grouped(net: Net, recipe: Recipe) -> Groups:
    """Parameters that share their decay, their share of the rate and what the optimizer itself sorts them by."""
    layer_decay = 1.0 if recipe.layer_decay is None else recipe.layer_decay
    far = distances(net) if layer_decay != 1 else {}
    sorts = OPTIMIZERS[recipe.optimizer or ""].sorts
    places = sorts(net) if sorts is not None else {}
    groups: dict[tuple[int, bool, int], dict[str, Any]] = {}
    for name, p in net.named_parameters():
        if not p.requires_grad:
            continue
        (place, settings), decays, distance = places.get(p, (0, {})), _decays(name, p), far.get(p, 0)
        group = groups.setdefault((place, not decays, distance), {"params": []})
        group["params"].append(p)
        group |= {**settings, "weight_decay": (recipe.weight_decay or 0.0) if decays else 0.0}
        group["share"] = layer_decay**distance * settings.get("share", 1.0)
    return [groups[key] for key in sorted(groups)]


def _decays(name: str, p: Tensor) -> bool:
    """Whether a parameter is a weight: no bias of whatever shape, and no scale, which has one number a channel."""
    return p.ndim > 1 and p.numel() > p.shape[0] and not name.endswith("bias")


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """The rate of the next step, of which each group takes its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def moved(optimizer: Optimizer) -> list[Tensor]:
    """All parameters that the optimizer moves."""
    return [p for group in optimizer.param_groups for p in group["params"]]

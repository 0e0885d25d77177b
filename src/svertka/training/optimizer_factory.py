"""Optimizers by name, with weight decay on weights only, and a rate that may fall with depth.

Biases and the scales and shifts of norms are left out of the decay: they have no excess capacity to restrain, and
decaying them costs accuracy (Goyal et al. 2017, arXiv:1706.02677, section 5.3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from svertka.blocks import Net
from svertka.optimizers import muon
from svertka.optimizers.adam import Adam
from svertka.optimizers.base import Stepper
from svertka.optimizers.muon import Muon
from svertka.optimizers.sgd import SGD
from svertka.training.layer_decay import distances
from svertka.training.recipe import Recipe

USUAL = 0.9  # momentum where the recipe names none

Optimizer = Stepper | torch.optim.Optimizer


def make_optimizer(net: Net, recipe: Recipe, *, bfloat16: bool = False) -> Optimizer:
    """The recipe's optimizer over the parameters of `net` that take gradients; its rate is set anew at every step.

    With `bfloat16`, as where the plan found it faster, Muon multiplies its large matrices in it.
    """
    groups, rate = grouped(net, recipe), recipe.learning_rate or 0.0
    m = USUAL if recipe.momentum is None else recipe.momentum
    match recipe.optimizer:
        case "sgd":
            return SGD(groups, lr=rate, momentum=m, nesterov=False)
        case "nesterov":
            return SGD(groups, lr=rate, momentum=m, nesterov=m > 0)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=m)
        case "adam":
            return Adam(groups, lr=rate, betas=(m, 0.999))
        case "adamw":
            return Adam(groups, lr=rate, betas=(m, 0.999), decoupled=True)
        case "muon":
            return Muon(groups, lr=rate, momentum=m, dtype=torch.bfloat16 if bfloat16 else None)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=rate)
    raise ValueError(f"not an optimizer of the recipe: {recipe.optimizer!r}")


def grouped(net: Net, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters that share their decay, their share of the rate and (for Muon) their kind of step."""
    layer_rate = 1.0 if recipe.layer_decay is None else recipe.layer_decay
    far = distances(net) if layer_rate != 1 else {}
    hidden = muon.hidden_matrices(net) if recipe.optimizer == "muon" else set()
    held = muon.before_norms(net) & hidden if hidden else set()
    groups: dict[tuple[bool, bool, bool, int], dict[str, Any]] = {}
    for name, p in net.named_parameters():
        if not p.requires_grad:
            continue
        decays, orthogonal, distance = _decays(name, p), p in hidden, far.get(p, 0)
        share = layer_rate**distance * (muon.PARTNER if recipe.optimizer == "muon" and not orthogonal else 1.0)
        row: dict[str, Any] = {"params": [], "weight_decay": (recipe.weight_decay or 0.0) if decays else 0.0}
        row |= {"share": share, **({"orthogonal": True, "held": p in held} if orthogonal else {})}
        groups.setdefault((not orthogonal, p in held, not decays, distance), row)["params"].append(p)
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

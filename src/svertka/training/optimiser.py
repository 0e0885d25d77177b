"""Optimisers by name, with weight decay on weights only.

Biases and the scales and shifts of norms are left out of the decay: they have no excess capacity to restrain, and
decaying them costs accuracy (Goyal et al. 2017, arXiv:1706.02677, section 5.3).
"""

from __future__ import annotations

import torch
from torch import nn

from svertka.training.recipe import Recipe
from svertka.training.sgd import SGD

Optimiser = SGD | torch.optim.Optimizer


def make_optimiser(net: nn.Module, recipe: Recipe) -> Optimiser:
    """The recipe's optimiser over the parameters of `net` that take gradients; its rate is set anew at every step."""
    learned = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": recipe.weight_decay or 0.0},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    rate, m = recipe.rate or 0.0, recipe.momentum
    match recipe.optimiser:
        case "sgd":
            return SGD(groups, lr=rate, momentum=m, nesterov=False)
        case "nesterov":
            return SGD(groups, lr=rate, momentum=m, nesterov=m > 0)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=m)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=(m, 0.999))
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=(m, 0.999))
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=rate)
    raise ValueError(f"not an optimiser of the recipe: {recipe.optimiser!r}")

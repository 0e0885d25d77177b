"""Stochastic gradient descent with momentum, as torch.optim.SGD computes it, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from svertka.optimizers.base import Stepper


class SGD(Stepper):
    """v = momentum v + (gradient + decay w); w = w - rate v, or by Nesterov w - rate (gradient + decay w + momentum v).

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", in the form that torch
    and most frameworks use: the rate stands outside the velocity.

    Args:
        groups: dictionaries with "params" and "weight_decay".
        lr: the rate of all groups; each group's may be set anew before a step.
        momentum: 0 is none.
        nesterov: look ahead.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], *, lr: float, momentum: float, nesterov: bool) -> None:
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=nesterov)

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """One step of one group."""
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        if group["momentum"]:
            gradients = self._with_momentum(weights, gradients, group)
        torch._foreach_add_(weights, gradients, alpha=-group["lr"])

    def _with_momentum(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        fresh = [k for k, p in enumerate(weights) if "momentum_buffer" not in self.state[p]]
        for k in fresh:  # the first velocity is the first gradient
            self.state[weights[k]]["momentum_buffer"] = gradients[k].detach().clone()
        moved = [k for k in range(len(weights)) if k not in set(fresh)]
        velocities = [self.state[p]["momentum_buffer"] for p in weights]
        if moved:
            some = [velocities[k] for k in moved]
            torch._foreach_mul_(some, group["momentum"])
            torch._foreach_add_(some, [gradients[k] for k in moved])
        if group["nesterov"]:
            return list(torch._foreach_add(gradients, velocities, alpha=group["momentum"]))
        return velocities

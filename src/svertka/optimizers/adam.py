"""Adam and AdamW, as torch.optim computes them.

Kingma and Ba 2014, arXiv:1412.6980; decoupled decay: Loshchilov and Hutter 2017, arXiv:1711.05101.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from svertka.optimizers.base import Stepper


class Adam(Stepper):
    """Steps of the running mean of gradients, divided by the root of the running mean of their squares.

    Args:
        groups: dictionaries with "params" and "weight_decay".
        lr: the rate of all groups; each group's may be set anew before a step.
        betas: what one step keeps of the two means.
        decoupled: decay shrinks the weights (AdamW) instead of being part of the gradient.
        eps: keeps the quotient finite where gradients vanish.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        decoupled: bool = False,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas, decoupled=decoupled, eps=eps)

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """One step of one group."""
        rate, decay, (beta1, beta2) = group["lr"], group["weight_decay"], group["betas"]
        if decay and group["decoupled"]:
            torch._foreach_mul_(weights, 1 - rate * decay)
        elif decay:
            gradients = list(torch._foreach_add(gradients, weights, alpha=decay))
        means, squares = self.remembered(weights, "exp_avg"), self.remembered(weights, "exp_avg_sq")
        steps = [self._count(p) for p in weights]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, [(1 - beta2**n) ** 0.5 for n in steps])  # means of few steps lean to zero
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(weights, means, roots, [-rate / (1 - beta1**n) for n in steps])

    def _count(self, weight: Tensor) -> int:
        entries = self.state[weight]
        entries["step"] = entries.get("step", 0) + 1
        return int(entries["step"])

"""Stochastic gradient descent with momentum, as torch.optim.SGD computes it, without what torch.optim brings along.

Making any optimiser of torch.optim imports PyTorch's compiler, more than a second that a short run does not have. This
one has the same groups, the same state and the same numbers to the bit (tests/test_sgd.py), so that checkpoints and
readers cannot tell them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class SGD:
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
        shared = {"lr": lr, "momentum": momentum, "nesterov": nesterov}
        self.param_groups = [{**shared, **group, "params": list(group["params"])} for group in groups]
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self._parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            gradients = [p.grad for p in weights]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
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

    def state_dict(self) -> dict[str, Any]:
        """The state by the number of each parameter, as torch.optim gives it."""
        number = {p: i for i, p in enumerate(self._parameters())}
        groups, first = [], 0
        for group in self.param_groups:
            count = len(group["params"])
            groups.append({**group, "params": list(range(first, first + count))})
            first += count
        return {"state": {number[p]: dict(entries) for p, entries in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take what `state_dict` gave."""
        parameters = self._parameters()
        self.state = defaultdict(dict)
        for i, entries in saved["state"].items():
            own = parameters[int(i)]
            self.state[own] = {k: v.to(own, copy=True) if isinstance(v, Tensor) else v for k, v in entries.items()}
        for group, told in zip(self.param_groups, saved["param_groups"], strict=True):
            group.update({k: v for k, v in told.items() if k != "params"})

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

"""What our own optimizers share: groups of parameters, what is remembered of each, and how that is saved.

Making any optimizer of torch.optim imports PyTorch's compiler, more than a second that a short run does not have. Ours
have the same groups, the same state and the same numbers as theirs (tests/training/test_optimizers.py), so that
checkpoints and readers cannot tell them apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Stepper(ABC):
    """Parameters in groups, each with its own settings, and one rule that moves a group.

    Args:
        groups: dictionaries with "params" and whatever differs from `shared`.
        shared: settings of all groups; "lr" is the rate, which may be set anew before a step.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], **shared: Any) -> None:
        self.param_groups = [{**shared, **group, "params": list(group["params"])} for group in groups]
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)

    @abstractmethod
    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """The rule: change these weights in place."""

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self.move(weights, [p.grad for p in weights], group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self._parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.zero_()

    def remembered(self, weights: list[Tensor], name: str) -> list[Tensor]:
        """What is kept under a name for each of these weights; zeros at first, in the layout of the weight."""
        for p in weights:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return [self.state[p][name] for p in weights]

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
        for group, entries in zip(self.param_groups, saved["param_groups"], strict=True):
            group.update({k: v for k, v in entries.items() if k != "params"})

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

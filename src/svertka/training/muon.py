"""Muon: momentum whose matrix is made orthogonal before the step, so that every direction moves equally far.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon), with
the numbers of torch.optim.Muon. It is meant for hidden matrices and for convolution filters, seen as one row of numbers
for each filter. Everything else (biases, norms, the first and the last layer, depthwise filters, which join no
channels) is moved by its partner, AdamW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from svertka.blocks import Net
from svertka.training.adam import Adam

QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at zero: all singular values come near 1 within five rounds
ROUNDS = 5
TINY = 1e-7
PARTNER = 0.2  # the partner's rate, as a share of Muon's: 0.02 goes with AdamW's 0.004


class Muon(Adam):
    """Muon for the groups that say "orthogonal", AdamW for the others.

    m = momentum m + (1 - momentum) gradient; w = (1 - rate decay) w - rate sqrt(max(1, rows / columns)) O, where O is
    the orthogonal matrix nearest to (1 - momentum) gradient + momentum m.

    Args:
        groups: dictionaries with "params", "weight_decay", and "orthogonal" where Muon moves them.
        lr: the rate of all groups, before their "share".
        momentum: of Muon.
        betas: of AdamW.
        dtype: what the matrices are multiplied in; where None, bfloat16 on a GPU and float32 elsewhere.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas, decoupled=True)
        self.dtype = dtype
        for group in self.param_groups:
            group.setdefault("orthogonal", False)
            group.setdefault("momentum", momentum)

    def move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        """One step of one group."""
        if not group["orthogonal"]:
            super().move(weights, gradients, group)
            return
        rate, keep = group["lr"], group["momentum"]
        velocities = self.remembered(weights, "momentum_buffer")
        torch._foreach_lerp_(velocities, gradients, 1 - keep)
        ahead = torch._foreach_lerp(gradients, velocities, keep)  # Nesterov
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        for weight, update in zip(weights, ahead, strict=True):
            rows, columns = update.flatten(1).shape
            step = orthogonal(update.flatten(1), self.dtype or _fast(update)).to(weight.dtype)  # (out, in * k * k)
            weight.add_(step.view(weight.shape), alpha=-rate * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.float32, rounds: int = ROUNDS) -> Tensor:
    """Nearly U V' of the singular value decomposition U S V': (m, n) -> (m, n), in `dtype`.

    Each round of Newton-Schulz takes every singular value s to a s + b s^3 + c s^5 by products of matrices alone, which
    runs well everywhere. After five rounds they lie between 0.7 and 1.2, which trains as well as exactly 1.
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(dtype)  # (m, n), m <= n
    x = x / x.norm().clamp(min=TINY)  # no singular value above 1
    for _ in range(rounds):
        gram = x @ x.T  # (m, m)
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def hidden_matrices(net: Net) -> set[Tensor]:
    """What Muon moves: matrices, and filters that join channels, but for the first layer and the last of the head."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    last = [p for p in net.head.parameters() if p.ndim > 1][-1:]
    return {p for p in matrices if p.shape[1] > 1} - {*matrices[:1], *last}


def _fast(tensor: Tensor) -> torch.dtype:
    return torch.bfloat16 if tensor.is_cuda else torch.float32

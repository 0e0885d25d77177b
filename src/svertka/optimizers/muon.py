"""Muon: momentum whose matrix is made orthogonal before the step, so that every direction moves equally far.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon), with
the numbers of torch.optim.Muon. It is meant for hidden matrices and for convolution filters, seen as one row of numbers
for each filter. Everything else (biases, norms, the first and the last layer, depthwise filters, which join no
channels, and dense layers too large to be made orthogonal in time) is moved by its partner, AdamW.

Filters that a norm follows may have any length: the norm divides it out. Left alone they grow, and their steps become
small beside them. So these are held: each step turns the filters by the same share of their length, which stays (the
one from Jordan's airbench; without it two passes over CIFAR-10 lose two points, LOG.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from svertka.blocks import Net
from svertka.optimizers.adam import Adam

QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at zero: all singular values come near 1 within five rounds
ROUNDS = 5
ENOUGH = 3  # rounds that train as well (LOG.md; also in Jordan's airbench, arXiv:2404.00498)
TINY = 1e-7
LARGEST = 1024  # rows or columns: the cost grows with their cube, for VGG's 4096 to many times that of the step itself
PARTNER = 0.05  # the partner's rate, as a share of Muon's: 0.2 goes with AdamW's 0.01


class Muon(Adam):
    """Muon for the groups that say "orthogonal", AdamW for the others.

    m = momentum m + (1 - momentum) gradient; w = (1 - rate decay) w - rate sqrt(max(1, rows / columns)) O, where O is
    the orthogonal matrix nearest to (1 - momentum) gradient + momentum m.

    Args:
        groups: dictionaries with "params", "weight_decay", and "orthogonal" where Muon moves them, "held" where their
            length stays: w = |w| v / |v| with v = w - rate |w| O / |O|.
        lr: the rate of all groups, before their "share".
        momentum: of Muon.
        betas: of AdamW.
        rounds: of Newton-Schulz in a step.
        dtype: what large matrices are multiplied in; where None, bfloat16 on a GPU and float32 elsewhere.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        rounds: int = ENOUGH,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas, decoupled=True)
        self.rounds, self.dtype = rounds, dtype
        for group in self.param_groups:
            group.setdefault("orthogonal", False)
            group.setdefault("held", False)
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
        if group["weight_decay"] and not group["held"]:
            torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        for weight, update in zip(weights, ahead, strict=True):
            step = orthogonal(update.flatten(1), self.dtype or _fast(update), self.rounds)  # (out, in * k * k)
            step = step.to(weight.dtype).view(weight.shape)
            if group["held"]:
                length = weight.norm()
                weight.sub_(step * (rate * length / step.norm().clamp(min=TINY)))
                weight.mul_(length / weight.norm().clamp(min=TINY))
            else:
                rows, columns = update.flatten(1).shape
                weight.sub_(step, alpha=rate * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.float32, rounds: int = ROUNDS) -> Tensor:
    """Nearly U V' of the singular value decomposition U S V': (m, n) -> (m, n).

    Each round of Newton-Schulz takes every singular value s to a s + b s^3 + c s^5 by products of matrices alone, which
    runs well everywhere. After five rounds they lie between 0.7 and 1.2, and after three all but the least do, which
    trains as well as exactly 1.

    Every round multiplies from the left by a polynomial of X X', and these commute: so the rounds are done on the
    square X X', the smaller side by itself, in float32, and the large matrix is multiplied twice in all, in `dtype`.
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(dtype)  # (m, n), m <= n
    x = x / x.norm().clamp(min=TINY)  # no singular value above 1
    gram = (x @ x.T).float()  # (m, m): of X in the round at hand
    factor: Tensor | None = None  # (m, m): what all rounds so far multiply by
    for left in range(rounds - 1, -1, -1):
        step = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal().add_(a)
        factor = step if factor is None else step @ factor
        if left:
            gram = step @ gram @ step
    found: Tensor = x if factor is None else factor.to(dtype) @ x
    return found.T if tall else found


def hidden_matrices(net: Net) -> set[Tensor]:
    """What Muon moves: matrices, and filters that join channels, but for what reads pixels or gives the answer.

    Dense layers wider than LARGEST both ways, as VGG's, are left to AdamW.
    """
    first, last = ([p for p in part.parameters() if p.ndim > 1] for part in (net.stem, net.head))
    hidden: set[Tensor] = {
        p for p in net.parameters() if p.ndim > 1 and p.shape[1] > 1 and min(p.flatten(1).shape) <= LARGEST
    }
    return hidden - {*first[:1], *last[-1:]}


def sorted_parameters(net: Net) -> dict[Tensor, tuple[int, dict[str, Any]]]:
    """Each parameter of a network -> (the place of its group among all, what `Muon` takes of that group)."""
    hidden = hidden_matrices(net)
    held = before_norms(net) & hidden
    kinds = (
        {"orthogonal": True, "held": False, "share": 1.0},
        {"orthogonal": True, "held": True, "share": 1.0},
        {"share": PARTNER},
    )
    places = {p: (1 if p in held else 0) if p in hidden else 2 for p in net.parameters()}
    return {p: (place, kinds[place]) for p, place in places.items()}


def before_norms(net: Net) -> set[Tensor]:
    """Filters whose length a norm divides out: those of convolutions without bias, by the habit of all networks."""
    convolutions = (m for m in net.modules() if isinstance(m, nn.Conv1d | nn.Conv2d))
    return {m.weight for m in convolutions if m.bias is None}


def _fast(tensor: Tensor) -> torch.dtype:
    return torch.bfloat16 if tensor.is_cuda else torch.float32

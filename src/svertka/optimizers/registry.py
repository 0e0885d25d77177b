"""The optimizers, a row each: what makes one, and what is usual for it. One more optimizer is one more row.

No torch: recipes are checked by these names before it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from svertka.common.messages import message

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from svertka.blocks import Net
    from svertka.optimizers.base import Stepper

    Optimizer: TypeAlias = Stepper | torch.optim.Optimizer

Groups: TypeAlias = list[dict[str, Any]]  # dictionaries with "params", "weight_decay" and "share" of the rate
Usual: TypeAlias = tuple[float, str]  # a number, and why it is that

COUPLED: Usual = (0.003, message("decay.coupled", "a strong decay pays in short runs with batch norm"))
DECOUPLED: Usual = (0.02, message("decay.decoupled", "the usual decoupled decay"))


class OptimizerRow(NamedTuple):
    """One optimizer.

    build               (groups, rate, momentum, whether large products may be in bfloat16) -> the optimizer
    peak_from_scratch   the highest rate that a one-cycle schedule bears at batch 256
    peak_fine_tuning    and that of weights which know much already
    momentum            from scratch; the first beta of Adam and its like
    weight_decay        from scratch
    decay_fine_tuning   of weights which know much already
    buffers_per_weight  numbers that it keeps of each weight
    sorts               parameters -> (place of their group, its settings), where it moves not all of them alike
    """

    build: Callable[[Groups, float, float, bool], Optimizer]
    peak_from_scratch: float
    peak_fine_tuning: float
    momentum: Usual = (0.9, message("momentum.usual", "the usual"))
    weight_decay: Usual = COUPLED
    decay_fine_tuning: float = 5e-4
    buffers_per_weight: int = 1
    sorts: Callable[[Net], Mapping[Tensor, tuple[int, dict[str, Any]]]] | None = None


def _sgd(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    from svertka.optimizers.sgd import SGD

    return SGD(groups, lr=rate, momentum=momentum, nesterov=False)


def _nesterov(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    from svertka.optimizers.sgd import SGD

    return SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0)


def _rmsprop(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    import torch

    return torch.optim.RMSprop(groups, lr=rate, momentum=momentum)


def _adam(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    from svertka.optimizers.adam import Adam

    return Adam(groups, lr=rate, betas=(momentum, 0.999))


def _adamw(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    from svertka.optimizers.adam import Adam

    return Adam(groups, lr=rate, betas=(momentum, 0.999), decoupled=True)


def _adadelta(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    import torch

    return torch.optim.Adadelta(groups, lr=rate)


def _muon(groups: Groups, rate: float, momentum: float, bfloat16: bool) -> Optimizer:
    import torch

    from svertka.optimizers.muon import Muon

    return Muon(groups, lr=rate, momentum=momentum, dtype=torch.bfloat16 if bfloat16 else None)


def _muon_sorts(net: Net) -> Mapping[Tensor, tuple[int, dict[str, Any]]]:
    from svertka.optimizers.muon import sorted_parameters

    return sorted_parameters(net)


OPTIMIZERS: dict[str, OptimizerRow] = {
    "sgd": OptimizerRow(_sgd, 0.3, 0.01),
    "nesterov": OptimizerRow(_nesterov, 0.3, 0.01),
    "rmsprop": OptimizerRow(_rmsprop, 0.001, 1e-4, buffers_per_weight=2),
    "adam": OptimizerRow(_adam, 0.004, 1e-3, buffers_per_weight=2),
    "adamw": OptimizerRow(
        _adamw, 0.004, 1e-3, weight_decay=DECOUPLED, decay_fine_tuning=DECOUPLED[0], buffers_per_weight=2
    ),
    "adadelta": OptimizerRow(_adadelta, 1.0, 0.1, buffers_per_weight=2),
    "muon": OptimizerRow(
        _muon, 0.1, 2e-3, momentum=(
            0.6, message("momentum.muon", "steps of Muon are smooth already; a longer memory lags behind (LOG.md)"),
        ),
        weight_decay=DECOUPLED, decay_fine_tuning=DECOUPLED[0], sorts=_muon_sorts,
    ),
}  # fmt: skip

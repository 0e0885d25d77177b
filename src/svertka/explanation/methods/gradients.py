"""Methods that follow the score back to the pixels.

Guided back-propagation changes no module: a mode of PyTorch watches calls of activation functions while it lasts, so
functional calls are guided too and there is nothing to put back.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from svertka.explanation.request import Ask


def saliency(ask: Ask) -> Tensor:
    """How fast the score changes with each pixel; Simonyan et al. 2014, arXiv:1312.6034, section 3.1."""
    return _strongest(_gradient(ask, ask.x))


def smoothgrad(ask: Ask) -> Tensor:
    """The gradient averaged over noisy copies; Smilkov et al. 2017, arXiv:1706.03825, with 15 % noise on 25 copies.

    All pictures of a batch get the same noise, so that none depends on its neighbors.
    """
    generator, count = ask.generator(), ask.samples or 25
    noise = 0.15 * (ask.x.flatten(1).amax(1) - ask.x.flatten(1).amin(1))  # (n,)
    noise = noise.reshape(-1, *[1] * (ask.x.dim() - 1))
    total = torch.zeros_like(ask.x)
    for _ in range(count):
        drawn = torch.randn(ask.x.shape[1:], generator=generator).to(ask.x)  # (channels, *size)
        total += _gradient(ask, ask.x + noise * drawn)
    return _strongest(total / count)


def integrated_gradients(ask: Ask) -> Tensor:
    """What each pixel adds to the score on the way from the mean color; channels summed, sign left out."""
    return attributions(ask).sum(1).abs()


def attributions(ask: Ask, baseline: Tensor | None = None) -> Tensor:
    """Sundararajan et al. 2017, arXiv:1703.01365, equation 1: (n, c, *size), with sign; 50 steps by the midpoint rule.

    Their sum over a picture is the score minus that of the baseline (the mean color where None), up to the steps.
    """
    start = torch.zeros_like(ask.x) if baseline is None else baseline.expand_as(ask.x)
    count = ask.samples or 50
    total = torch.zeros_like(ask.x)
    for step in range(count):
        total += _gradient(ask, start + (step + 0.5) / count * (ask.x - start))
    return (ask.x - start) * total / count


def guided(ask: Ask) -> Tensor:
    """The gradient, with negative parts stopped at each activation; Springenberg et al. 2015, arXiv:1412.6806.

    Adebayo et al. 2018 show that it hardly depends on what the network has learned.
    """
    with _Guided():
        return _strongest(_gradient(ask, ask.x))


class _PositiveBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()  # not a view: what comes behind may work in place

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(min=0)


class _Guided(TorchFunctionMode):
    """Behind each activation function, only positive gradients pass."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        return _PositiveBack.apply(out) if func in ACTIVATIONS else out  # type: ignore[no-untyped-call]


ACTIVATIONS = {
    torch.relu, torch.relu_, Tensor.relu, Tensor.relu_,
    F.relu, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.mish,
}  # fmt: skip


def _gradient(ask: Ask, x: Tensor) -> Tensor:
    """d score / d x for a batch, in passes of `ask.batch`."""
    found = []
    for first in range(0, len(x), ask.batch):
        rows = slice(first, first + ask.batch)
        part = x[rows].detach().clone().requires_grad_()
        # a network may begin with an operation in place, which a leaf does not allow
        (gradient,) = torch.autograd.grad(ask.scores(part.clone(), rows).sum(), part)
        found.append(gradient)
    return torch.cat(found)


def _strongest(gradient: Tensor) -> Tensor:
    """(n, c, *size) -> (n, *size): the largest of the channels, sign left out."""
    return gradient.abs().amax(1)

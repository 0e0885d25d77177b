"""A network is borrowed to be explained and given back as it was: mode, hooks, gradients, weights, settings.

Notable choices:
- Weights are frozen meanwhile, and autograd is switched on however the caller switched it off. So a frozen network is
  explained like any other, and no time goes into gradients of weights, which no explanation needs.
- Of a compiled or averaged network the module inside is explained: same weights, and hooks that run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from svertka.errors import UsageError


def bare(module: nn.Module) -> nn.Module:
    """The module inside `torch.compile`, an average of weights, or a data-parallel wrapper."""
    inner = getattr(module, "_orig_mod", None)
    wrappers = (
        torch.optim.swa_utils.AveragedModel,
        nn.DataParallel,
        nn.parallel.DistributedDataParallel,
    )
    if inner is None and isinstance(module, wrappers):
        inner = module.module
    return bare(inner) if isinstance(inner, nn.Module) else module


@contextmanager
def frozen_network(module: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode with frozen weights, inside a block where autograd works; then as it was."""
    net = bare(module)
    modes = [(part, part.training) for part in net.modules()]
    weights = [(p, p.requires_grad, p.grad) for p in net.parameters()]
    try:
        net.eval()
        for p, _, _ in weights:
            p.requires_grad_(False)
        with torch.inference_mode(False), torch.enable_grad(), _eager():
            yield net
    finally:
        for part, training in modes:
            part.training = training
        for p, learns, gradient in weights:
            p.requires_grad_(learns)
            p.grad = gradient


def _eager() -> AbstractContextManager[Any]:
    """Compiled parts inside a network run as written, so that their hooks do; nothing to do where none can be."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


class Watched:
    """What a layer gave out at its last call, as the leaf of a graph: `maps` (n, c, *size), and its gradient."""

    def __init__(self) -> None:
        self.maps: Tensor | None = None

    def gradient(self, score: Tensor, *, retain_graph: bool = False) -> Tensor:
        """d score / d maps, of the shape of maps."""
        return torch.autograd.grad(score.sum(), self.given(), retain_graph=retain_graph)[0]

    def given(self) -> Tensor:
        """The maps.

        Raises:
            UsageError: the layer did not run.
        """
        if self.maps is None:
            raise UsageError("The layer did not run in this network's forward pass; name another with --layer.")
        return self.maps


@contextmanager
def watching(layer: nn.Module) -> Iterator[Watched]:
    """Keep what a layer gives out, in a form that gradients reach and later in-place operations do not."""
    watched = Watched()

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise UsageError(f"A layer that gives {type(output).__name__}, not one tensor, cannot be watched.")
        watched.maps = output.detach().clone().requires_grad_()
        return watched.maps.clone()  # what comes behind may work in place, on this copy

    handle = layer.register_forward_hook(keep)
    try:
        yield watched
    finally:
        handle.remove()

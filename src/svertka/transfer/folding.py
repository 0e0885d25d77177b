"""Batch norms folded into the convolutions before them, for inference.

A batch norm in evaluation mode is one scale and one shift per channel, and so is part of the convolution
before it. Which feeds which is watched, not guessed from names: one picture goes through, and a norm whose
input is the very tensor that a convolution put out is folded. The result is compared with the original before
it is used.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from svertka.blocks import Net
from svertka.errors import SvertkaError

TOLERANCE = 1e-3  # of the largest feature; float32 sums in another order differ by 1e-6 to 1e-4 in deep networks
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_CONVS = (nn.Conv1d, nn.Conv2d)


@torch.no_grad()
def folded(net: Net, shape: tuple[int, ...]) -> Net:
    """A copy of a network for inference, in evaluation mode and without a head, whose `embed` gives the same, faster.

    Args:
        net: left as it is.
        shape: of one input, (channels, *size).

    Raises:
        SvertkaError: the copy computes something else, which would be a fault of this program.
    """
    x = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)) * 4 - 2
    x = x.to(next(net.parameters()))
    head, net.head = net.head, nn.Identity()
    try:
        made = copy.deepcopy(net).eval().requires_grad_(False)
    finally:
        net.head = head
    truth = made.embed(x)  # (1, d)
    for conv, norm in _pairs(made, x):
        parent, _, child = conv.rpartition(".")
        fused = fuse_conv_bn_eval(made.get_submodule(conv), made.get_submodule(norm))
        setattr(made.get_submodule(parent), child, fused)
        parent, _, child = norm.rpartition(".")
        setattr(made.get_submodule(parent), child, nn.Identity())
    found = made.embed(x)
    gap = (found - truth).abs().max() / truth.abs().max().clamp_min(1e-12)
    if not gap <= TOLERANCE:
        raise SvertkaError(
            f"Folding the batch norms of {net.name} changed its features by {gap:.2g}: please report this."
        )
    return made


def _pairs(net: Net, x: Tensor) -> list[tuple[str, str]]:
    """Names of (convolution, norm) where the one feeds the other, seen by passing x through."""
    outputs: list[tuple[Tensor, str]] = []  # holds the tensors, so that no address is used twice
    pairs: list[tuple[str, str]] = []

    def after_conv(name: str) -> object:
        return lambda module, args, output: outputs.append((output, name))

    def before_norm(name: str) -> object:
        def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            pairs.extend((conv, name) for output, conv in outputs if output is args[0])

        return look

    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, _CONVS):
            hooks.append(module.register_forward_hook(after_conv(name)))  # type: ignore[arg-type]
        elif isinstance(module, _NORMS):
            hooks.append(module.register_forward_pre_hook(before_norm(name)))  # type: ignore[arg-type]
    try:
        net.embed(x)
    finally:
        for hook in hooks:
            hook.remove()
    once = {conv for conv, _ in pairs}
    return [pair for pair in pairs if pair[0] in once and sum(p[0] == pair[0] or p[1] == pair[1] for p in pairs) == 1]

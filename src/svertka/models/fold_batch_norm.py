"""A network made quick for inference: batch norms folded into the convolutions before them, activations fused.

A batch norm in evaluation mode is one scale and one shift per channel, and so is part of the convolution before it. On
a CPU the activation behind joins the same call (see `fusing`). Which feeds which is watched, not guessed from names:
one picture goes through, and a module whose input is the very tensor that a convolution put out belongs to it. The
result is compared with the original before it is used.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from svertka.blocks import LastStages, Net, averages
from svertka.errors import SvertkaError
from svertka.models.fused_conv import APPENDED, FusedConv, fusable

TOLERANCE = 1e-3  # of the largest feature; float32 sums in another order differ by 1e-6 to 1e-4 in deep networks
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_CONVS = (nn.Conv1d, nn.Conv2d)


@torch.no_grad()
def quick(net: Net, shape: tuple[int, ...]) -> Net:
    """A copy of a network for inference, in evaluation mode and without a head, whose `embed` gives the same, faster.

    Args:
        net: left as it is.
        shape: of one input, (channels, *size).

    Raises:
        SvertkaError: the copy computes something else, which would be a fault of this program.
    """
    x, made, truth = _trial(net, shape)
    _fold(made, x)
    _fuse(made, x)
    _pool(made)
    _compare(made, x, truth)
    return made


@torch.no_grad()
def folded(net: Net, shape: tuple[int, ...]) -> Net:
    """As `quick`, of PyTorch's public modules alone: for other devices than the CPU, and for export."""
    x, made, truth = _trial(net, shape)
    _fold(made, x)
    _pool(made)
    _compare(made, x, truth)
    return made


def _trial(net: Net, shape: tuple[int, ...]) -> tuple[Tensor, Net, Tensor]:
    """An input, a headless copy in evaluation mode, and what it makes of the input."""
    x = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)) * 4 - 2
    x = x.to(next(net.parameters()))
    if x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    head, net.head = net.head, nn.Identity()
    try:
        made = copy.deepcopy(net).eval().requires_grad_(False)
    finally:
        net.head = head
    return x, made, made.embed(x)  # (1, d)


def _compare(made: Net, x: Tensor, truth: Tensor) -> None:
    gap = (made.embed(x) - truth).abs().max() / truth.abs().max().clamp_min(1e-12)
    if not gap <= TOLERANCE:
        raise SvertkaError(
            f"Making {made.name} quick for inference changed its features by {gap:.2g}: please report this."
        )


def _fold(net: Net, x: Tensor) -> None:
    for conv, norm in _pairs(net, x, _NORMS):
        pair = cast(nn.Conv2d, net.get_submodule(conv)), cast(nn.BatchNorm2d, net.get_submodule(norm))
        _put(net, conv, fuse_conv_bn_eval(*pair))
        _put(net, norm, nn.Identity())


def _fuse(net: Net, x: Tensor) -> None:
    acts = dict(_pairs(net, x, tuple(APPENDED)))
    sizes = _sizes(net, x)
    for conv, size in sizes.items():
        module = net.get_submodule(conv)
        if not fusable(module):
            continue
        act = acts.get(conv)
        _put(net, conv, FusedConv(module, type(net.get_submodule(act)) if act else None, size))  # type: ignore[arg-type]
        if act:
            _put(net, act, nn.Identity())


def _pool(net: Net) -> None:
    """Several stages are averaged where they stand, where averages are all that the pool wants of them."""
    if isinstance(net.stages, LastStages) and averages(net.pool):
        net.stages.pooled = True


def _put(net: Net, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)


def _sizes(net: Net, x: Tensor) -> dict[str, tuple[int, int]]:
    """The input size of every 2-D convolution that x meets once."""
    met: dict[str, list[tuple[int, int]]] = {}

    def look(name: str) -> object:
        return lambda module, args: met.setdefault(name, []).append(tuple(args[0].shape[2:]))

    hooks = [
        module.register_forward_pre_hook(look(name))  # type: ignore[arg-type]
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        net.embed(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: sizes[0] for name, sizes in met.items() if len(sizes) == 1}


def _pairs(net: Net, x: Tensor, followers: tuple[type[nn.Module], ...]) -> list[tuple[str, str]]:
    """Names of (convolution, follower) where the one alone feeds the other, seen by passing x through."""
    outputs: list[tuple[Tensor, int, str]] = []  # tensors, held so that none is taken for another, as they came out
    pairs: list[tuple[str, str]] = []

    def after_conv(name: str) -> object:
        return lambda module, args, output: outputs.append((output, output._version, name))

    def before(name: str) -> object:
        def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            fed = [conv for y, version, conv in outputs if y is args[0] and y._version == version]
            pairs.extend((conv, name) for conv in fed or ("",))

        return look

    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, _CONVS):
            hooks.append(module.register_forward_hook(after_conv(name)))  # type: ignore[arg-type]
        elif type(module) in followers or (followers is _NORMS and isinstance(module, _NORMS)):
            hooks.append(module.register_forward_pre_hook(before(name)))
    try:
        net.embed(x)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in pairs if pair[0] and sum(p[0] == pair[0] or p[1] == pair[1] for p in pairs) == 1]

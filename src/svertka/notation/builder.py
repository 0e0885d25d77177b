"""A network of plain torch layers from a line of notation, in the silhouette of every network here.

- stem     up to the layer before the second convolution or block (empty where there is only one)
- stages   cut where a layer with weights changes the resolution, and behind the pooling that did
- pool     the first layer that makes a vector of the maps (flatten, gap, ...)
- head     the rest

Weights start as He et al. 2015 (arXiv:1502.01852) for rectifiers, as Glorot and Bengio 2010 before tanh,
sigmoid and softmax and in the last layer. The last norm of a residual starts at zero, so a fresh block passes
its input on (Goyal et al. 2017, arXiv:1706.02677). Rectifiers work in place where nobody else reads what they
overwrite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from svertka.blocks import Net
from svertka.blocks.branches import Concat, Residual
from svertka.blocks.pooling import MinPool, SumPool
from svertka.notation import syntax
from svertka.notation.grammar import parse
from svertka.notation.shapes import Placed, Shape, place, windows
from svertka.shapes import Window

_WEIGHTY = (syntax.Conv, syntax.Depthwise, syntax.Linear, syntax.Residual, syntax.Concat)
_FRESH = (
    syntax.Conv,
    syntax.Depthwise,
    syntax.Linear,
    syntax.BatchNorm,
    syntax.Residual,
    syntax.Concat,
)  # their output is theirs
_SATURATING = ("tanh", "sigmoid", "softmax")


def build(network: str | syntax.Network, input: Shape, classes: int | None = None) -> Net:
    """A fresh network, on torch's default device, with weights drawn from its current generator.

    Args:
        network: a line of notation, or its tree.
        input: (channels, height, width), or (channels, length) for sound, series and text.
        classes: the outputs of bare `fc`; where given, the network must end in as many numbers.

    >>> lenet = "conv5-6v tanh avgpool2 conv5-16v tanh avgpool2 flatten fc120 tanh fc84 tanh fc"
    >>> sum(p.numel() for p in build(lenet, (1, 32, 32), classes=10).parameters())       # LeCun et al. 1998
    61706

    Raises:
        NotationError: the line does not read or its sizes do not fit; points at the token.
        UsageError: the input has no one or two axes.
    """
    known = parse(network) if isinstance(network, str) else network
    placed = place(known, tuple(input), classes)
    turn = next(i for i, p in enumerate(placed) if len(p.output) == 1)  # from maps to a vector
    stem, stages = split(placed[:turn])
    modules = _modules(placed)
    start = len(stem)
    body = []
    for stage in stages:
        body.append(nn.Sequential(*modules[start : start + len(stage)]))
        start += len(stage)
    head = modules[turn + 1 :]
    return Net(
        stem=nn.Sequential(*modules[: len(stem)]) if stem else nn.Identity(),
        stages=nn.Sequential(*body) if body else nn.Sequential(nn.Identity()),
        pool=modules[turn],
        head=nn.Sequential(*head) if head else nn.Identity(),
    )


def split(body: Sequence[Placed]) -> tuple[list[Placed], list[list[Placed]]]:
    """The layers on maps, as the stem and the stages."""
    weighty = [i for i, p in enumerate(body) if isinstance(p.node, _WEIGHTY)]
    cut = weighty[1] if len(weighty) > 1 else 0
    stages: list[list[Placed]] = []
    pooled = True  # the resolution has changed since the last layer with weights
    for p in body[cut:]:
        shrinks = p.output[1:] != p.input[1:]
        if isinstance(p.node, _WEIGHTY):
            if pooled or shrinks:
                stages.append([])
            pooled = False
        else:
            pooled = pooled or shrinks
        if not stages:
            stages.append([])
        stages[-1].append(p)
    return list(body[:cut]), stages


def _modules(sequence: Sequence[Placed], top: bool = True) -> list[nn.Module]:
    """The layers of one sequence; each knows what comes before and behind it."""
    return [_module(sequence, i, top) for i in range(len(sequence))]


def _module(sequence: Sequence[Placed], i: int, top: bool) -> nn.Module:
    placed, node = sequence[i], sequence[i].node
    match node:
        case syntax.Conv() | syntax.Depthwise() | syntax.Linear():
            following = [p.node for p in sequence[i + 1 :]]
            normed = bool(following) and isinstance(following[0], syntax.BatchNorm)
            made = _linear(placed, not normed) if isinstance(node, syntax.Linear) else _conv(placed, node, not normed)
            return _start(made, *_gain(following, last=top and isinstance(node, syntax.Linear)))
        case syntax.Activation():
            return _ACTIVATIONS[node.name](node, i > 0 and isinstance(sequence[i - 1].node, _FRESH))
        case syntax.Residual():
            return _residual(placed)
        case syntax.Concat():
            return Concat(_sequential(branch) for branch in placed.branches)
        case _:
            return _PLAIN[type(node)](node, placed)


def _sequential(sequence: Sequence[Placed]) -> nn.Module:
    modules = _modules(sequence, top=False)
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _residual(placed: Placed) -> Residual:
    body, skip = placed.branches
    made = _sequential(body)
    last = made[-1] if isinstance(made, nn.Sequential) else made
    if isinstance(last, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.zeros_(last.weight)
    return Residual(made, _sequential(skip) if skip else None)


def _conv(placed: Placed, node: syntax.Conv | syntax.Depthwise, bias: bool) -> nn.Module:
    axes, along, pads = _windows(placed, node)
    even = all(before == after for before, after in pads)
    made = _bare(
        _torch("conv", axes),
        placed.input[0],
        placed.output[0],
        tuple(w.kernel for w in along),
        stride=tuple(w.stride for w in along),
        padding=tuple(before for before, _ in pads) if even else 0,
        dilation=tuple(w.dilation for w in along),
        groups=placed.input[0] if isinstance(node, syntax.Depthwise) else node.groups,
        bias=bias,
    )
    return made if even else nn.Sequential(_pad(pads, 0.0), made)


def _linear(placed: Placed, bias: bool) -> nn.Module:
    return _bare(nn.Linear, placed.input[0], placed.output[0], bias=bias)


def _pool(node: syntax.Pool, placed: Placed) -> nn.Module:
    axes, along, pads = _windows(placed, node)
    even = all(before == after for before, after in pads)
    made = _torch(node.kind, axes)(
        tuple(w.kernel for w in along),
        tuple(w.stride for w in along),
        tuple(before for before, _ in pads) if even else (0,) * axes,
        ceil_mode=node.ceil,
    )
    outside = {"max": -torch.inf, "min": torch.inf}.get(node.kind, 0.0)
    return made if even else nn.Sequential(_pad(pads, outside), made)


def _bare(make: Maker, *args: Any, **options: Any) -> nn.Module:
    """A layer on the default device whose weights are not drawn yet: `_start` draws them, once."""
    layer = make(*args, **options, device="meta")
    for name, weight in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(torch.empty(weight.shape)))
    return layer


def _windows(
    placed: Placed, node: syntax.Conv | syntax.Depthwise | syntax.Pool
) -> tuple[int, tuple[Window, ...], list[tuple[int, int]]]:
    """The number of axes, the window along each, and the padding (before, after) of each."""
    sizes = placed.input[1:]
    along = windows(node, len(sizes))
    return len(sizes), along, [w.pads(size) for w, size in zip(along, sizes, strict=True)]


def _pad(pads: Sequence[tuple[int, int]], value: float) -> nn.Module:
    """Padding that differs between the two ends of an axis; torch counts from the last axis."""
    return _torch("pad", len(pads))(tuple(end for pair in reversed(pads) for end in pair), value)


def _torch(name: str, axes: int) -> Maker:
    """The torch layer for maps with one axis or two; a vector is normalized like one axis."""
    return _BY_AXES[name][max(axes, 1) - 1]


def _gain(following: Sequence[syntax.Node], last: bool) -> tuple[str, float]:
    """What kind of start suits a layer, by the activation that comes next: ("he", slope) or ("glorot", 0)."""
    for node in following:
        if isinstance(node, syntax.Activation):
            return ("glorot", 0.0) if node.name in _SATURATING else ("he", node.slope or 0.0)
        if isinstance(node, _WEIGHTY):
            break
    return ("glorot" if last and not following else "he"), 0.0


def _start(module: nn.Module, kind: str, slope: float) -> nn.Module:
    """Draws the first weights; biases start at zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear) and not layer.weight.is_meta:
            if kind == "he":
                nn.init.kaiming_normal_(layer.weight, a=slope)
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


Maker = Callable[..., nn.Module]


_BY_AXES: dict[str, tuple[Maker, Maker]] = {
    "conv": (nn.Conv1d, nn.Conv2d),
    "norm": (nn.BatchNorm1d, nn.BatchNorm2d),
    "pad": (nn.ConstantPad1d, nn.ConstantPad2d),
    "max": (nn.MaxPool1d, nn.MaxPool2d),
    "avg": (nn.AvgPool1d, nn.AvgPool2d),
    "min": (partial(MinPool, 1), partial(MinPool, 2)),
    "sum": (partial(SumPool, 1), partial(SumPool, 2)),
    "global avg": (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    "global max": (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
}

_PLAIN: dict[type[syntax.Node], Callable[[Any, Placed], nn.Module]] = {
    syntax.Pool: _pool,
    syntax.GlobalPool: lambda node, placed: nn.Sequential(
        _torch(f"global {node.kind}", len(placed.input) - 1)(1), nn.Flatten()
    ),
    syntax.BatchNorm: lambda _, placed: _torch("norm", len(placed.input) - 1)(placed.input[0]),
    syntax.Flatten: lambda *_: nn.Flatten(),
    syntax.LocalNorm: lambda node, _: nn.LocalResponseNorm(node.size),
    syntax.Dropout: lambda node, _: nn.Dropout(node.share),
    syntax.Identity: lambda *_: nn.Identity(),
}

# Called with the node and whether it may overwrite its input.
_ACTIVATIONS: dict[str, Callable[[syntax.Activation, bool], nn.Module]] = {
    "relu": lambda _, inplace: nn.ReLU(inplace),
    "lrelu": lambda node, inplace: nn.LeakyReLU(node.slope or 0.0, inplace),
    "relu6": lambda _, inplace: nn.ReLU6(inplace),
    "sigmoid": lambda *_: nn.Sigmoid(),
    "tanh": lambda *_: nn.Tanh(),
    "softmax": lambda *_: nn.Softmax(dim=1),
    "elu": lambda *_: nn.ELU(),
    "gelu": lambda *_: nn.GELU(),
    "silu": lambda *_: nn.SiLU(),
    "hardswish": lambda *_: nn.Hardswish(),
}

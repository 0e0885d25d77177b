"""A network of plain torch layers from a line of notation, in the silhouette of every network here.

- stem     up to the layer before the second convolution or block (empty where there is only one)
- stages   cut where a layer with weights changes the resolution, and behind the pooling that did
- pool     the first layer that makes a vector of the maps (flatten, gap, ...)
- head     the rest

Weights start as He et al. 2015 (arXiv:1502.01852) for rectifiers, as Glorot and Bengio 2010 before tanh, sigmoid and
softmax and in the last layer. The last norm of a residual starts at zero, so a fresh block passes its input on
(Goyal et al. 2017, arXiv:1706.02677). Rectifiers work in place wherever nothing else reads what they overwrite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from svertka.blocks import Net
from svertka.blocks.branches import Concat, Residual
from svertka.blocks.pooling import MinPool, SumPool
from svertka.notation import tree
from svertka.notation.grammar import parse
from svertka.notation.placing import Placed, Shape, place, windows

_WEIGHTY = (tree.Conv, tree.Depthwise, tree.Linear, tree.Residual, tree.Concat)
_FRESH = (
    tree.Conv,
    tree.Depthwise,
    tree.Linear,
    tree.BatchNorm,
    tree.Residual,
    tree.Concat,
)  # their output is theirs
_SATURATING = ("tanh", "sigmoid", "softmax")


def build(network: str | tree.Network, input: Shape, classes: int | None = None) -> Net:
    """A fresh network, on torch's default device, with weights drawn from its current generator.

    Args:
        network: a line of notation, or its tree.
        input: (channels, height, width), or (channels, length) for sound, series and text.
        classes: the outputs of bare `fc`; where given, the network must end in as many numbers.

    >>> net = build("conv5-6v tanh avgpool2 conv5-16v tanh avgpool2 flatten fc120 tanh fc84 tanh fc", (1, 32, 32), 10)
    >>> sum(p.numel() for p in net.parameters())                              # LeNet-5, LeCun et al. 1998
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
        case tree.Conv() | tree.Depthwise() | tree.Linear():
            following = [p.node for p in sequence[i + 1 :]]
            normed = bool(following) and isinstance(following[0], tree.BatchNorm)
            made = (
                _linear(placed, not normed)
                if isinstance(node, tree.Linear)
                else _conv(placed, node, not normed)
            )
            return _start(made, *_gain(following, last=top and isinstance(node, tree.Linear)))
        case tree.Activation():
            return _ACTIVATIONS[node.name](node, i > 0 and isinstance(sequence[i - 1].node, _FRESH))
        case tree.Residual():
            return _residual(placed)
        case tree.Concat():
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


def _conv(placed: Placed, node: tree.Conv | tree.Depthwise, bias: bool) -> nn.Module:
    channels, *sizes = placed.input
    along = windows(node, len(sizes))
    pads = [w.pads(size) for w, size in zip(along, sizes, strict=True)]
    even = all(before == after for before, after in pads)
    made: nn.Module = nn.utils.skip_init(
        nn.Conv1d if len(sizes) == 1 else nn.Conv2d,
        channels,
        placed.output[0],
        tuple(w.kernel for w in along),
        stride=tuple(w.stride for w in along),
        padding=tuple(before for before, _ in pads) if even else 0,
        dilation=tuple(w.dilation for w in along),
        groups=channels if isinstance(node, tree.Depthwise) else node.groups,
        bias=bias,
        device=torch.get_default_device(),
    )
    return made if even else nn.Sequential(_padding(pads, 0.0), made)


def _linear(placed: Placed, bias: bool) -> nn.Module:
    made: nn.Module = nn.utils.skip_init(
        nn.Linear, placed.input[0], placed.output[0], bias=bias, device=torch.get_default_device()
    )
    return made


def _padding(pads: Sequence[tuple[int, int]], value: float) -> nn.Module:
    """Padding that differs between the two ends of an axis; torch counts from the last axis."""
    flat = tuple(end for pair in reversed(pads) for end in pair)
    return nn.ConstantPad1d(flat, value) if len(pads) == 1 else nn.ConstantPad2d(flat, value)


def _pool(node: tree.Pool, placed: Placed) -> nn.Module:
    _, *sizes = placed.input
    along = windows(node, len(sizes))
    pads = [w.pads(size) for w, size in zip(along, sizes, strict=True)]
    even = all(before == after for before, after in pads)
    make, outside = _POOLS[node.kind]
    made = make(
        len(sizes),
        tuple(w.kernel for w in along),
        tuple(w.stride for w in along),
        tuple(before for before, _ in pads) if even else (0,) * len(sizes),
        node.ceil,
    )
    return made if even else nn.Sequential(_padding(pads, outside), made)


def _gain(following: Sequence[tree.Node], last: bool) -> tuple[str, float]:
    """What kind of start suits a layer, by the activation that comes next: ("he", slope) or ("glorot", 0)."""
    for node in following:
        if isinstance(node, tree.Activation):
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


def _global_pool(node: tree.GlobalPool, placed: Placed) -> nn.Module:
    one = len(placed.input) == 2
    if node.kind == "avg":
        return nn.Sequential(nn.AdaptiveAvgPool1d(1) if one else nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.AdaptiveMaxPool1d(1) if one else nn.AdaptiveMaxPool2d(1), nn.Flatten())


def _batch_norm(_: tree.BatchNorm, placed: Placed) -> nn.Module:
    return (nn.BatchNorm2d if len(placed.input) == 3 else nn.BatchNorm1d)(placed.input[0])


Pooling = Callable[[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], bool], nn.Module]

# kind -> (how it is made, what stands outside the picture where the padding is uneven)
_POOLS: dict[str, tuple[Pooling, float]] = {
    "max": (
        lambda n, k, s, p, c: (nn.MaxPool1d if n == 1 else nn.MaxPool2d)(k, s, p, ceil_mode=c),
        -torch.inf,
    ),
    "min": (MinPool, torch.inf),
    "avg": (lambda n, k, s, p, c: (nn.AvgPool1d if n == 1 else nn.AvgPool2d)(k, s, p, c), 0.0),
    "sum": (SumPool, 0.0),
}

_PLAIN: dict[type[tree.Node], Callable[..., nn.Module]] = {
    tree.Pool: _pool,
    tree.GlobalPool: _global_pool,
    tree.BatchNorm: _batch_norm,
    tree.Flatten: lambda node, placed: nn.Flatten(),
    tree.LocalNorm: lambda node, placed: nn.LocalResponseNorm(node.size),
    tree.Dropout: lambda node, placed: nn.Dropout(node.share),
    tree.Identity: lambda node, placed: nn.Identity(),
}

_ACTIVATIONS: dict[str, Callable[[tree.Activation, bool], nn.Module]] = {
    "relu": lambda node, inplace: nn.ReLU(inplace),
    "lrelu": lambda node, inplace: nn.LeakyReLU(node.slope or 0.0, inplace),
    "relu6": lambda node, inplace: nn.ReLU6(inplace),
    "sigmoid": lambda node, inplace: nn.Sigmoid(),
    "tanh": lambda node, inplace: nn.Tanh(),
    "softmax": lambda node, inplace: nn.Softmax(dim=1),
    "elu": lambda node, inplace: nn.ELU(),
    "gelu": lambda node, inplace: nn.GELU(),
    "silu": lambda node, inplace: nn.SiLU(),
    "hardswish": lambda node, inplace: nn.Hardswish(),
}

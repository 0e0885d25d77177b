"""A torch layer in the words of the notation: Conv2d(3, 64, 3, padding=1) is conv3-64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from svertka.blocks.pooling import MinPool, SumPool
from svertka.notation import syntax


def word_of(module: nn.Module) -> str:
    """The word of the notation, or the name of the class where there is none.

    >>> word_of(nn.Conv2d(3, 64, 7, stride=2, padding=3)), word_of(nn.MaxPool2d(2)), word_of(nn.GRUCell(1, 1))
    ('conv7-64s2', 'pool2', 'grucell')
    """
    make = next((WORDS[kind] for kind in type(module).__mro__ if kind in WORDS), None)
    return str(make(module)) if make else type(module).__name__.lower()


def _conv(conv: Any) -> syntax.Node:
    if conv.transposed:
        return syntax.Activation(f"upconv{_sides(conv.kernel_size)}-{conv.out_channels}")
    same = tuple(d * (k - 1) // 2 for k, d in zip(conv.kernel_size, conv.dilation, strict=True))
    odd = all(d * (k - 1) % 2 == 0 for k, d in zip(conv.kernel_size, conv.dilation, strict=True))
    padding: syntax.Padding = "same"
    if conv.padding == "valid" or (not any(conv.padding) and any(k > 1 for k in conv.kernel_size)):
        padding = "valid"
    elif conv.padding != "same" and not (odd and conv.padding == same):
        padding = _short(conv.padding)
    window = (_short(conv.stride), padding, _short(conv.dilation))
    if 1 < conv.groups == conv.in_channels == conv.out_channels:
        return syntax.Depthwise(_short(conv.kernel_size), *window)
    return syntax.Conv(_short(conv.kernel_size), conv.out_channels, *window, conv.groups)


def _pool(kind: str) -> Callable[[Any], syntax.Node]:
    def pool(module: Any) -> syntax.Node:
        size, stride, padding = (_short(v) for v in (module.kernel_size, module.stride, module.padding))
        return syntax.Pool(kind, size, stride, padding if any(padding) else "valid", module.ceil_mode)

    return pool


def _short(value: int | Sequence[int]) -> syntax.Sides:
    """(3, 3) -> (3,): the same along every axis is said once."""
    sides = (value,) if isinstance(value, int) else tuple(value)
    return sides[:1] if len(set(sides)) == 1 else sides


def _sides(value: Sequence[int]) -> str:
    return syntax.sides(_short(value))


def _global(kind: str) -> Callable[[Any], str]:
    def pool(module: Any) -> str:
        size = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,)
        if set(size) == {1}:
            return str(syntax.GlobalPool(kind))
        return f"{kind}pool to {'x'.join(str(s) for s in size)}"

    return pool


WORDS: dict[type[nn.Module], Callable[[Any], syntax.Node | str]] = {
    nn.modules.conv._ConvNd: _conv,
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d), _pool("max")),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d), _pool("avg")),
    MinPool: _pool("min"),
    SumPool: _pool("sum"),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), _global("avg")),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d), _global("max")),
    nn.Linear: lambda m: syntax.Linear(m.out_features),
    nn.modules.batchnorm._BatchNorm: lambda m: syntax.BatchNorm(),
    nn.LayerNorm: lambda m: "layernorm",
    nn.LocalResponseNorm: lambda m: syntax.LocalNorm(m.size),
    nn.Flatten: lambda m: syntax.Flatten(),
    nn.modules.dropout._DropoutNd: lambda m: syntax.Dropout(float(m.p)),
    nn.LeakyReLU: lambda m: syntax.Activation("lrelu", float(m.negative_slope)),
}

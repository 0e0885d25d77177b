"""One number of a network, opened until multiplications and sums are left, as lecture 003 does by hand.

    (50 * 30) + (50 * 30) + (50 * 30) + (20 * 30) + (50 * 30) = 6600

The terms are put together from the definition of the layer: which input, which weight, which bias. The number that the
network itself gave stands beside the sum; the two agree to rounding, or something here is wrong.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from svertka.blocks.conv import TensorflowConv
from svertka.errors import ShapeError, UsageError
from svertka.explanation import layers
from svertka.explanation.frozen_network import frozen_network
from svertka.explanation.methods.registry import on_device_of

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """input * weight; `place` is where the input stands, (channel, y, x), None in the padding, where it is 0."""

    place: Place | None
    weight_place: Place
    input: float
    weight: float

    @property
    def product(self) -> float:
        """The two multiplied."""
        return self.input * self.weight


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a layer came to one of its numbers.

    layer, kind  its name and class
    at           the place of the number: (channel, y, x), or (unit,)
    terms        all products, in the order of the weights
    bias         added once; 0 where the layer has none
    sum          of the products and the bias, in double precision
    given        what the network has in this place
    """

    layer: str
    kind: str
    at: Place
    terms: tuple[Term, ...]
    bias: float
    sum: float
    given: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self, most: int = 3) -> str:
        """To read: `most` input channels in full, those that add most first, then what the others add.

        A term is (input · weight); terms that are 0 are left out.
        """
        groups: dict[int, list[Term]] = {}
        for term in self.terms:
            groups.setdefault(term.weight_place[1] if len(term.weight_place) > 2 else 0, []).append(term)
        sums = {channel: sum(t.product for t in terms) for channel, terms in groups.items()}
        order = sorted(sums, key=lambda channel: -abs(sums[channel]))
        lines = [f"{self.layer} ({self.kind}), number {_listed(self.at)}"]
        for channel in order[:most]:
            products = " + ".join(f"({_n(t.input)} · {_n(t.weight)})" for t in groups[channel] if t.product)
            name = f"input channel {channel}: " if len(groups) > 1 else ""
            lines.append(f"  {name}{products or '0'} = {_n(sums[channel])}")
        if len(order) > most:
            rest = sum(sums[channel] for channel in order[most:])
            lines.append(f"  the other {len(order) - most} input channels: {_n(rest)}")
        lines.append(f"  bias: {_n(self.bias)}")
        lines.append(f"  sum: {_n(self.sum)}; the network has {_n(self.given)}")
        return "\n".join(lines)


def arithmetic(module: nn.Module, x: Tensor, layer: str, at: Place) -> Arithmetic:
    """The multiplications and sums behind one number of a convolution or dense layer.

    Args:
        module: the network.
        x: (1, channels, *size), its input.
        layer: the name of an `nn.Conv1d`, `nn.Conv2d` or `nn.Linear` in it.
        at: which number: (channel, y, x), (channel, i), or (unit,).

    >>> net = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False), nn.Flatten())
    >>> _ = net[0].weight.data.copy_(torch.tensor([[[[0.0, 30], [30, 0]]]]))
    >>> print(arithmetic(net, torch.tensor([[[[0.0, 50], [20, 0]]]]), "0", (0, 0, 0)).text())
    0 (Conv2d), number (0, 0, 0)
      (50 · 30) + (20 · 30) = 2100
      bias: 0
      sum: 2100; the network has 2100

    Raises:
        UnknownName: no such layer.
        UsageError: the layer is of another kind, or pads with something other than zeros.
        ShapeError: the layer has no such number, or x is not one input.
    """
    if len(x) != 1:
        raise ShapeError(f"The arithmetic is that of one input; received {len(x)}.")
    with frozen_network(module) as net:
        part = layers.find(net, layer)
        if not isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear):
            raise UsageError(
                f"The layer {layer} is a {type(part).__name__}; convolutions and dense layers can be opened."
            )
        given, output = _met(net, part, on_device_of(net, x), layer)
    at = tuple(at)
    if len(at) != output.dim() or not all(0 <= i < n for i, n in zip(at, output.shape, strict=True)):
        raise ShapeError(f"The layer {layer} gives {'x'.join(map(str, output.shape))}; it has no number {_listed(at)}.")
    terms = _dense_terms(part, given, at) if isinstance(part, nn.Linear) else _window_terms(part, given, at)
    weight = part.weight.detach().double().cpu()
    made = tuple(Term(place, w, float(given[place]) if place else 0.0, float(weight[w])) for place, w in terms)
    unit = at[-1] if isinstance(part, nn.Linear) else at[0]
    bias = float(part.bias.detach()[unit]) if part.bias is not None else 0.0
    total = bias + sum(term.product for term in made)
    return Arithmetic(layer, type(part).__name__, at, made, bias, total, float(output[at]))


def _met(net: nn.Module, part: nn.Module, x: Tensor, layer: str) -> tuple[np.ndarray, Tensor]:
    """What came into a layer (as double, without the batch) and what left it."""
    met: list[tuple[Tensor, Tensor]] = []

    def keep(_module: nn.Module, inputs: Any, output: Tensor) -> None:
        met.append((inputs[0].detach()[0].double().cpu(), output.detach()[0].clone().cpu()))

    def before(_module: nn.Module, inputs: Any) -> tuple[Tensor, ...]:
        return (inputs[0].clone(), *inputs[1:])  # nothing changes it in place later

    handles = [part.register_forward_pre_hook(before), part.register_forward_hook(keep)]
    try:
        with torch.no_grad():
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    if not met:
        raise UsageError(f"The layer {layer} does not run in this network's forward pass.")
    return met[-1][0].numpy(), met[-1][1]


def _dense_terms(part: nn.Linear, given: np.ndarray, at: Place) -> list[tuple[Place | None, Place]]:
    return [((*at[:-1], i), (at[-1], i)) for i in range(part.in_features)]


def _window_terms(part: nn.Conv1d | nn.Conv2d, given: np.ndarray, at: Place) -> list[tuple[Place | None, Place]]:
    """Where the window lies, and which weight meets which input."""
    if part.padding_mode != "zeros":
        raise UsageError(f"This layer pads by {part.padding_mode}; only padding with zeros can be opened.")
    channel, sizes = at[0], given.shape[1:]
    first = channel // (part.out_channels // part.groups) * (part.in_channels // part.groups)
    corner = [i * s - p for i, s, p in zip(at[1:], part.stride, _before(part, sizes), strict=True)]
    terms: list[tuple[Place | None, Place]] = []
    for c, *offset in np.ndindex(part.weight.shape[1:]):
        place = tuple(a + d * o for a, d, o in zip(corner, part.dilation, offset, strict=True))
        inside = all(0 <= p < n for p, n in zip(place, sizes, strict=True))
        terms.append(((first + c, *place) if inside else None, (channel, c, *offset)))
    return terms


def _before(part: nn.Conv1d | nn.Conv2d, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Zeros in front along each axis."""
    if isinstance(part, TensorflowConv):
        return tuple(part._pad(size, axis)[0] for axis, size in enumerate(sizes))
    if part.padding == "same":
        return tuple(d * (k - 1) // 2 for d, k in zip(part.dilation, part.kernel_size, strict=True))
    return (0,) * len(sizes) if isinstance(part.padding, str) else tuple(part.padding)


def _listed(at: Place) -> str:
    return f"({', '.join(map(str, at))})"


def _n(value: float) -> str:
    return f"{value:.5g}"

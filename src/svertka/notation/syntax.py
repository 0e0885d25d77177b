"""The syntax tree of a network: frozen data that prints as the line it was read from.

`str(node)` is the canonical spelling: aliases resolved, defaults left out, and `parse(str(tree)) == tree`.
Sides are (7,) for 7 along every axis and (1, 7) for 1 by 7; how many axes there are, the input says.
A node knows its place in the line (`start`, `end`) for messages; the place takes no part in equality.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Sides = tuple[int, ...]
Padding = Sides | Literal["same", "valid"]
ONE: Sides = (1,)


@dataclass(frozen=True, slots=True)
class Node:
    """A layer or a group of layers, and its place in the line (`text[start:end]`)."""

    start: int = field(default=0, compare=False, repr=False, kw_only=True)
    end: int = field(default=0, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Conv(Node):
    """A convolution: `conv3-64` keeps the size (padding same), `conv5-6v` does not pad, `conv7-64s2p3`."""

    kernel: Sides
    filters: int
    stride: Sides = ONE
    padding: Padding = "same"
    dilation: Sides = ONE
    groups: int = 1

    def __str__(self) -> str:
        return f"conv{sides(self.kernel)}-{self.filters}" + slide(self) + (f"g{self.groups}" if self.groups > 1 else "")


@dataclass(frozen=True, slots=True)
class Depthwise(Node):
    """A convolution of each map by its own filter: `dw3`, `dw3s2`."""

    kernel: Sides
    stride: Sides = ONE
    padding: Padding = "same"
    dilation: Sides = ONE

    def __str__(self) -> str:
        return f"dw{sides(self.kernel)}" + slide(self)


@dataclass(frozen=True, slots=True)
class Pool(Node):
    """Pooling (`kind` max, avg, min or sum): `pool2` steps by its size and does not pad; `pool3s2p1`."""

    kind: str
    size: Sides
    stride: Sides
    padding: Padding = "valid"
    ceil: bool = False

    def __str__(self) -> str:
        word = "pool" if self.kind == "max" else f"{self.kind}pool"
        moves = step(self.stride, self.size) + pad(self.padding, "valid") + "c" * self.ceil
        return f"{word}{sides(self.size)}{moves}"


@dataclass(frozen=True, slots=True)
class GlobalPool(Node):
    """One number per map: `gap` the average, `gmp` the largest."""

    kind: str

    def __str__(self) -> str:
        return {"avg": "gap", "max": "gmp"}[self.kind]


@dataclass(frozen=True, slots=True)
class Flatten(Node):
    """All maps as one vector: `flatten`."""

    def __str__(self) -> str:
        return "flatten"


@dataclass(frozen=True, slots=True)
class Linear(Node):
    """A fully connected layer: `fc120`; bare `fc` (units None) has one output per class."""

    units: int | None = None

    def __str__(self) -> str:
        return "fc" if self.units is None else f"fc{self.units}"


@dataclass(frozen=True, slots=True)
class BatchNorm(Node):
    """Batch normalization: `bn`. A convolution or fc right before it has no bias."""

    def __str__(self) -> str:
        return "bn"


@dataclass(frozen=True, slots=True)
class LocalNorm(Node):
    """Local response normalization over `size` neighboring maps: `lrn5`."""

    size: int = 5

    def __str__(self) -> str:
        return f"lrn{self.size}"


@dataclass(frozen=True, slots=True)
class Activation(Node):
    """A nonlinearity by name: `relu`, `tanh`, ...; the leaky one has a slope below zero, `lrelu0.2`."""

    name: str
    slope: float | None = None

    def __str__(self) -> str:
        return self.name + ("" if self.slope in (None, 0.01) else decimal(self.slope))


@dataclass(frozen=True, slots=True)
class Dropout(Node):
    """Sets a share of the numbers to zero in training: `dropout` half of them, `dropout0.2` a fifth."""

    share: float = 0.5

    def __str__(self) -> str:
        return "dropout" + ("" if self.share == 0.5 else decimal(self.share))


@dataclass(frozen=True, slots=True)
class Identity(Node):
    """Nothing: `id`, for a branch that passes its input on."""

    def __str__(self) -> str:
        return "id"


@dataclass(frozen=True, slots=True)
class Residual(Node):
    """`res(body)` adds its input to the result; `res(body | skip)` sends the input through layers first."""

    body: tuple[Node, ...]
    skip: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return f"res({line(self.body)} | {line(self.skip)})" if self.skip else f"res({line(self.body)})"


@dataclass(frozen=True, slots=True)
class Concat(Node):
    """`cat(branch | branch | ...)` lays the maps of its branches one behind another."""

    branches: tuple[tuple[Node, ...], ...]

    def __str__(self) -> str:
        return f"cat({' | '.join(line(branch) for branch in self.branches)})"


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """`3*(layers)`: the layers three times over, each time with weights of their own."""

    times: int
    body: tuple[Node, ...]

    def __str__(self) -> str:
        return f"{self.times}*{self.body[0]}" if len(self.body) == 1 else f"{self.times}*({line(self.body)})"


@dataclass(frozen=True, slots=True)
class Network:
    """A whole line: its layers, and the text they were read from (empty for a tree made by hand)."""

    layers: tuple[Node, ...]
    text: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return line(self.layers)


def line(layers: Iterable[Node]) -> str:
    """Layers as text, one blank between them."""
    return " ".join(map(str, layers))


def sides(numbers: Sides) -> str:
    """(3,) -> 3 and (1, 7) -> 1x7."""
    return "x".join(map(str, numbers))


def step(stride: Sides, usual: Sides) -> str:
    """The stride where it differs from the usual one: s2."""
    return "" if stride == usual else f"s{sides(stride)}"


def pad(padding: Padding, usual: str) -> str:
    """The padding where it differs from the usual one: v, same, p1."""
    if padding == usual:
        return ""
    return {"valid": "v", "same": "same"}[padding] if isinstance(padding, str) else f"p{sides(padding)}"


def slide(layer: Conv | Depthwise) -> str:
    """How the kernel of a convolution moves, where it is not the usual way: s2vd2."""
    dilation = "" if layer.dilation == ONE else f"d{sides(layer.dilation)}"
    return step(layer.stride, ONE) + pad(layer.padding, "same") + dilation


def decimal(number: float | None) -> str:
    """A number without an exponent, so that it reads back as the same number."""
    return format(Decimal(repr(number)), "f")

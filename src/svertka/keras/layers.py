"""Keras' layers: settings first, a torch module once the shape of the input is known.

`same` pads as TensorFlow does, only what the last window needs, and an average does not count padding.
Kernels start as Glorot and Bengio 2010 (uniform), biases at zero. Inside, shapes are torch's: (channels,
height, width) without the batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from svertka import ops
from svertka.errors import ShapeError, UnknownName, UsageError

Shape = tuple[int, ...]
Sides = int | tuple[int, int]

PADDINGS = {"valid": "valid", "same": "same-tf"}  # Keras' word -> that of svertka.shapes
ACTIVATIONS = {
    None: nn.Identity,
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
}


def activation(name: str | None) -> nn.Module:
    """The activation that a layer applies to what it computes.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in ACTIVATIONS:
        raise UnknownName("activation", str(name), [known for known in ACTIVATIONS if known])
    return ACTIVATIONS[name]()


def shown(shape: Shape) -> tuple[int | None, ...]:
    """A shape as Keras shows it: (channels, height, width) -> (None, height, width, channels).

    >>> shown((6, 28, 24)), shown((84,))
    ((None, 28, 24, 6), (None, 84))
    """
    return (None, *shape[1:], *shape[:1])


def inward(shape: tuple[int, ...]) -> Shape:
    """A shape as Keras gives it, without the batch, in torch's order.

    >>> inward((28, 24, 6)), inward((84,))
    ((6, 28, 24), (84,))
    """
    return (*shape[-1:], *shape[:-1])


@dataclass(eq=False, kw_only=True)
class Layer:
    """What all layers share.

    input_shape  (height, width, channels), given to the first layer of a model
    name         given by the model where None: conv2d, conv2d_1, ...
    """

    input_shape: tuple[int, ...] | None = None
    name: str | None = None
    core: nn.Module = field(init=False, repr=False)  # the layer without its activation
    act: nn.Module = field(init=False, repr=False)
    shape: Shape | None = field(init=False, default=None)  # of the output, torch's order, once built
    activation = None  # without a type, so that it keeps its place among the fields of those that have one

    def make(self, shape: Shape) -> nn.Module:
        """The torch module for an input of that shape, without the activation."""
        raise UsageError(f"{type(self).__name__} is no layer that computes; take one of svertka.keras.layers.")

    def build(self, shape: Shape) -> Shape:
        """Make the module for an input of that shape, and return the shape of its output.

        Raises:
            ShapeError: the layer does not fit that input; names the layer.
        """
        try:
            self.core, self.act = self.make(shape), activation(self.activation)
            self.shape = output_shape(self.core, shape)
        except ShapeError as why:
            raise ShapeError(f"{self.name} does not take an input of shape {shown(shape)}: {why}") from why
        if not self.trainable:
            self.core.requires_grad_(False)
        return self.shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """As Keras shows it, the batch as None.

        Raises:
            UsageError: the layer has seen no shape yet.
        """
        return shown(self._known())

    def _known(self) -> Shape:
        if self.shape is None:
            raise UsageError(f"{self.name or type(self).__name__} is not built: no input_shape is known yet.")
        return self.shape

    @property
    def trainable(self) -> bool:
        """Whether training changes this layer; a frozen one keeps the statistics of its batch norms too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        if self.shape is not None:
            self.core.requires_grad_(self._trainable)

    _trainable: ClassVar[bool] = True  # until set on the instance

    def counts(self) -> tuple[int, int]:
        """How many numbers it holds (statistics of batch norm too, as in Keras), and how many are learned."""
        self._known()
        learned = sum(p.numel() for p in self.core.parameters() if p.requires_grad)
        statistics = (b for b in self.core.buffers() if b.is_floating_point())
        return sum(t.numel() for t in chain(self.core.parameters(), statistics)), learned

    def count_params(self) -> int:
        """How many numbers the layer holds, as Keras counts."""
        return self.counts()[0]


def snake(name: str) -> str:
    """The name that Keras gives a layer of that class.

    >>> snake("MaxPooling2D"), snake("GlobalAveragePooling2D")
    ('max_pooling2d', 'global_average_pooling2d')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """What a module makes of a shape, without the batch; nothing is computed."""
    ghosts = {name: t.to("meta") for name, t in chain(module.named_parameters(), module.named_buffers())}
    with torch.no_grad():  # two samples: batch norm wants more than one number a channel
        y: Tensor = functional_call(module, ghosts, (torch.empty(2, *shape, device="meta"),))
    return tuple(y.shape[1:])


# --- the modules ---


class Convolution(nn.Conv2d):
    """`nn.Conv2d` with Keras' two paddings: (n, c, h, w) -> (n, filters, h', w')."""

    def __init__(self, channels: int, filters: int, kernel: Sides, stride: Sides, padding: str, bias: bool) -> None:
        super().__init__(channels, filters, kernel, stride, bias=bias)
        self.pads = PADDINGS[padding]
        glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """Slide the kernels."""
        return ops.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.pads)


class Pooling(nn.Module):
    """A window of `svertka.ops` over each channel: (n, c, h, w) -> (n, c, h', w')."""

    def __init__(self, operation: Callable[..., Tensor], size: Sides, stride: Sides | None, padding: str) -> None:
        super().__init__()
        self.operation, self.size, self.stride, self.pads = operation, size, stride, PADDINGS[padding]

    def forward(self, x: Tensor) -> Tensor:
        """Slide the window."""
        return self.operation(x, self.size, self.stride, self.pads)


class RowFlatten(nn.Module):
    """One vector in Keras' order: (n, c, h, w) -> (n, h * w * c); a view of channels-last memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Lay the numbers in a row."""
        return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).flatten(1)


class GlobalAverage(nn.Module):
    """The mean of each channel: (n, c, h, w) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the means."""
        return ops.globalavgpool(x)


def glorot(module: nn.Conv2d | nn.Linear) -> None:
    """Weights as Keras starts them: Glorot uniform, biases at zero."""
    nn.init.xavier_uniform_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


# --- the layers ---


def _check_padding(padding: str) -> None:
    if padding not in PADDINGS:
        raise UnknownName("padding", str(padding), PADDINGS)


def _picture(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ShapeError("it works on pictures, (None, height, width, channels).")
    return shape


@dataclass(eq=False)
class Conv2D(Layer):
    """Convolution: (None, h, w, c) -> (None, h', w', filters); arguments in the order of lecture 001."""

    filters: int
    kernel_size: Sides
    strides: Sides = 1
    padding: str = "valid"
    activation: str | None = None
    use_bias: bool = True

    def make(self, shape: Shape) -> nn.Module:
        """The convolution for so many input channels."""
        _check_padding(self.padding)
        channels = _picture(shape)[0]
        return Convolution(channels, self.filters, self.kernel_size, self.strides, self.padding, self.use_bias)


@dataclass(eq=False)
class MaxPooling2D(Layer):
    """The largest number under each window: (None, h, w, c) -> (None, h', w', c); strides None: the size."""

    pool_size: Sides = (2, 2)
    strides: Sides | None = None
    padding: str = "valid"
    operation: ClassVar[Callable[..., Tensor]] = ops.maxpool2d

    def make(self, shape: Shape) -> nn.Module:
        """The pooling."""
        _check_padding(self.padding)
        _picture(shape)
        return Pooling(self.operation, self.pool_size, self.strides, self.padding)


@dataclass(eq=False)
class AveragePooling2D(MaxPooling2D):
    """The mean under each window, padding left out: (None, h, w, c) -> (None, h', w', c)."""

    operation: ClassVar[Callable[..., Tensor]] = partial(ops.avgpool2d, count_padding=False)


@dataclass(eq=False)
class GlobalAveragePooling2D(Layer):
    """The mean of each channel: (None, h, w, c) -> (None, c)."""

    def make(self, shape: Shape) -> nn.Module:
        """The pooling."""
        _picture(shape)
        return GlobalAverage()


@dataclass(eq=False)
class Flatten(Layer):
    """One vector, row by row, channels last: (None, h, w, c) -> (None, h * w * c)."""

    def make(self, shape: Shape) -> nn.Module:
        """The rearrangement."""
        return RowFlatten()


@dataclass(eq=False)
class Dense(Layer):
    """Fully connected: (None, d) -> (None, units)."""

    units: int
    activation: str | None = None
    use_bias: bool = True

    def make(self, shape: Shape) -> nn.Module:
        """The matrix for so many inputs."""
        if len(shape) != 1:
            raise ShapeError("a Dense layer takes vectors; put Flatten() or GlobalAveragePooling2D() before it.")
        module = nn.Linear(shape[0], self.units, bias=self.use_bias)
        glorot(module)
        return module


@dataclass(eq=False)
class Dropout(Layer):
    """In training, zero for this share of the numbers: (None, ...) -> (None, ...)."""

    rate: float

    def make(self, shape: Shape) -> nn.Module:
        """The dropout."""
        return nn.Dropout(self.rate)

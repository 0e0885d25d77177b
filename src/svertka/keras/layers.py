"""Keras' layers: settings first, a torch module once the shape of the input is known.

`same` pads as TensorFlow does, only what the last window needs, and an average does not count padding.
Kernels start as Glorot and Bengio 2010 (uniform), biases at zero. Inside, shapes are torch's: (channels,
height, width) without the batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from svertka import ops
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.keras.missing import check_arguments, getter

Shape = tuple[int, ...]
Sides = int | tuple[int, int]

PADDINGS = {"valid": "valid", "same": "same-tf"}  # Keras' word -> that of svertka.shapes
ACTIVATIONS: dict[str | None, Callable[[], nn.Module]] = {
    None: nn.Identity,
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "swish": nn.SiLU,
    "silu": nn.SiLU,
    "relu6": nn.ReLU6,
}


def activation(name: str | None) -> nn.Module:
    """The activation that a layer applies to what it computes.

    Raises:
        UnknownName: there is none of that name.
    """
    if not isinstance(name, str | None) or name not in ACTIVATIONS:
        raise UnknownName("activation", str(name), [known for known in ACTIVATIONS if known])
    return ACTIVATIONS[name]()


def shown(shape: Shape) -> tuple[int | None, ...]:
    """A shape as Keras shows it: (channels, height, width) -> (None, height, width, channels).

    >>> shown((6, 28, 24)), shown((84,))
    ((None, 28, 24, 6), (None, 84))
    """
    return (None, *shape[1:], *shape[:1])


def shown_all(shape: Any) -> str:
    """One shape as Keras shows it, or several."""
    return " and ".join(str(shown(one)) for one in shapes_of(shape))


def shapes_of(shape: Any) -> list[Shape]:
    """Of one shape, or of several, a list."""
    return list(shape) if shape and isinstance(shape[0], tuple) else [shape]


def inward(shape: tuple[int, ...]) -> Shape:
    """A shape as Keras gives it, without the batch, in torch's order.

    >>> inward((28, 24, 6)), inward((84,))
    ((6, 28, 24), (84,))
    """
    return (*shape[-1:], *shape[:-1])


@dataclass(frozen=True, eq=False)
class Symbol:
    """What comes out of a layer before any numbers go in; models are made between two of them.

    inward  the shape without the batch, in torch's order
    layer   what it comes out of
    inputs  what that layer takes; none of an Input
    """

    inward: Shape
    layer: Layer
    inputs: tuple[Symbol, ...] = ()

    @property
    def shape(self) -> tuple[int | None, ...]:
        """As Keras shows it, the batch as None."""
        return shown(self.inward)


LAYERS: dict[str, type[Layer]] = {}  # every layer of the facade by its name


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
    seen: Any = field(init=False, repr=False, default=None)  # the shape, or shapes, that it was built for

    def __init_subclass__(cls) -> None:
        """Known by its name to whoever opens a saved model."""
        super().__init_subclass__()
        if cls.__module__.startswith(__package__ or __name__):
            LAYERS[cls.__name__] = cls

    def get_config(self) -> dict[str, Any]:
        """The layer as JSON can write it; `from_config` makes it again, without its numbers."""
        arguments = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name != "name"}
        return {"class": type(self).__name__, "name": self.name, "trainable": self.trainable, "arguments": arguments}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """A fresh layer of what `get_config` gave."""
        arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in config["arguments"].items()}
        layer = cls(**arguments, name=config["name"])
        layer.trainable = bool(config["trainable"])
        return layer

    def __new__(cls, *args: Any, **arguments: Any) -> Layer:
        """Arguments that only Keras has are refused by name."""
        check_arguments(cls, arguments)
        return super().__new__(cls)

    def __call__(self, inputs: Symbol | Sequence[Symbol]) -> Symbol:
        """The layer behind what comes out of others.

        Raises:
            UsageError: it is given something else; arrays go through `predict` of a model.
            ShapeError: it does not fit, or stands already behind something of another shape.
        """
        given = (inputs,) if isinstance(inputs, Symbol) else tuple(inputs) if isinstance(inputs, list | tuple) else ()
        if not given or not all(isinstance(one, Symbol) for one in given):
            raise UsageError(
                f"{type(self).__name__} is put behind an Input or another layer, and not called with "
                f"{type(inputs).__name__}: a model's predict() takes arrays."
            )
        self.name = self.name or snake(type(self).__name__)
        shapes = given[0].inward if len(given) == 1 else tuple(one.inward for one in given)
        if self.shape is None:
            self.build(shapes)
        elif self.seen not in (None, shapes):
            raise ShapeError(f"{self.name} was built for another shape; one layer cannot take both.")
        return Symbol(self._known(), self, given)

    def make(self, shape: Shape) -> nn.Module:
        """The torch module for an input of that shape, without the activation."""
        raise UsageError(f"{type(self).__name__} is no layer that computes; take one of svertka.keras.layers.")

    def build(self, shape: Shape) -> Shape:
        """Make the module for an input of that shape, and return the shape of its output.

        Raises:
            ShapeError: the layer does not fit that input; names the layer.
        """
        try:
            self.core, self.act = self.make(shape), activation(getattr(self, "activation", None))
            self.shape, self.seen = output_shape(self.core, shape), shape
        except ShapeError as why:
            raise ShapeError(f"{self.name} does not take an input of shape {shown_all(shape)}: {why}") from why
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

    _trainable = True  # until set on the instance

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
    empty = tuple(torch.empty(2, *one, device="meta") for one in shapes_of(shape))
    with torch.no_grad():  # two samples: batch norm wants more than one number a channel
        y: Tensor = functional_call(module, ghosts, empty)
    return tuple(y.shape[1:])


# --- the modules ---


class Convolution(nn.Conv2d):
    """`nn.Conv2d` with Keras' two paddings: (n, c, h, w) -> (n, filters, h', w')."""

    def __init__(
        self, channels: int, filters: int, kernel: Sides, stride: Sides, padding: str, bias: bool,
        dilation: Sides = 1, groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(channels, filters, kernel, stride, bias=bias, dilation=dilation, groups=groups)
        self.pads = PADDINGS[padding]
        glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """Slide the kernels."""
        return ops.conv2d(
            x, self.weight, self.bias, stride=self.stride, padding=self.pads, dilation=self.dilation, groups=self.groups
        )


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


class GlobalMaximum(nn.Module):
    """The largest number of each channel: (n, c, h, w) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the largest."""
        return ops.globalmaxpool(x)


class Affine(nn.Module):
    """Every number times `scale`, plus `offset`."""

    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x: Tensor) -> Tensor:
        """Scale."""
        return x * self.scale + self.offset


class Sum(nn.Module):
    """The sum of several inputs of one shape."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Add them up."""
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Channels(nn.Module):
    """Several inputs behind each other, along the channels."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Join them."""
        return torch.cat(inputs, dim=1)


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
    dilation_rate: Sides = 1
    groups: int = 1

    def make(self, shape: Shape) -> nn.Module:
        """The convolution for so many input channels."""
        _check_padding(self.padding)
        channels = _picture(shape)[0]
        if channels % self.groups or self.filters % self.groups:
            raise ShapeError(f"groups={self.groups} divides neither {channels} channels nor {self.filters} filters.")
        return Convolution(
            channels, self.filters, self.kernel_size, self.strides, self.padding, self.use_bias,
            self.dilation_rate, self.groups,
        )  # fmt: skip


@dataclass(eq=False)
class DepthwiseConv2D(Layer):
    """A convolution of each channel by itself: (None, h, w, c) -> (None, h', w', c * depth_multiplier)."""

    kernel_size: Sides
    strides: Sides = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    activation: str | None = None
    use_bias: bool = True

    def make(self, shape: Shape) -> nn.Module:
        """The convolution for so many channels."""
        _check_padding(self.padding)
        channels = _picture(shape)[0]
        return Convolution(
            channels, channels * self.depth_multiplier, self.kernel_size, self.strides, self.padding, self.use_bias,
            groups=channels,
        )  # fmt: skip


@dataclass(eq=False)
class SeparableConv2D(Layer):
    """A depthwise convolution, then one of 1 x 1: (None, h, w, c) -> (None, h', w', filters)."""

    filters: int
    kernel_size: Sides
    strides: Sides = 1
    padding: str = "valid"
    activation: str | None = None
    use_bias: bool = True

    def make(self, shape: Shape) -> nn.Module:
        """Both convolutions."""
        _check_padding(self.padding)
        channels = _picture(shape)[0]
        return nn.Sequential(
            Convolution(channels, channels, self.kernel_size, self.strides, self.padding, False, groups=channels),
            Convolution(channels, self.filters, 1, 1, "valid", self.use_bias),
        )


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
class GlobalMaxPooling2D(Layer):
    """The largest number of each channel: (None, h, w, c) -> (None, c)."""

    def make(self, shape: Shape) -> nn.Module:
        """The pooling."""
        _picture(shape)
        return GlobalMaximum()


@dataclass(eq=False)
class ZeroPadding2D(Layer):
    """Zeros around: (None, h, w, c) -> (None, h', w', c).

    padding: n, (rows, columns) or ((top, bottom), (left, right)).
    """

    padding: int | tuple[Any, Any] = 1

    def make(self, shape: Shape) -> nn.Module:
        """The padding."""
        _picture(shape)
        rows, columns = (self.padding,) * 2 if isinstance(self.padding, int) else self.padding
        top, bottom = (rows, rows) if isinstance(rows, int) else rows
        left, right = (columns, columns) if isinstance(columns, int) else columns
        return nn.ZeroPad2d((left, right, top, bottom))


@dataclass(eq=False)
class BatchNormalization(Layer):
    """Each channel to a mean of 0 and a deviation of 1, then scaled and moved: (None, ..., c) -> (None, ..., c).

    Ioffe and Szegedy 2015, arXiv:1502.03167; momentum is the share that running statistics keep, as in Keras.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3

    def make(self, shape: Shape) -> nn.Module:
        """The norm for so many channels."""
        norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return norm(shape[0], eps=self.epsilon, momentum=1 - self.momentum)


@dataclass(eq=False)
class Rescaling(Layer):
    """Every number times scale, plus offset: (None, ...) -> (None, ...)."""

    scale: float
    offset: float = 0.0

    def make(self, shape: Shape) -> nn.Module:
        """The scaling."""
        return Affine(self.scale, self.offset)


@dataclass(eq=False)
class Activation(Layer):
    """An activation as a layer of its own: (None, ...) -> (None, ...)."""

    activation: str

    def make(self, shape: Shape) -> nn.Module:
        """Nothing before the activation."""
        return nn.Identity()


@dataclass(eq=False)
class ReLU(Layer):
    """max(x, 0): (None, ...) -> (None, ...)."""

    activation: str = field(init=False, default="relu")

    def make(self, shape: Shape) -> nn.Module:
        """Nothing before the activation."""
        return nn.Identity()


@dataclass(eq=False)
class Softmax(Layer):
    """Shares that sum to 1 over the last axis of Keras' order: (None, ..., c) -> (None, ..., c)."""

    activation: str = field(init=False, default="softmax")

    def make(self, shape: Shape) -> nn.Module:
        """Nothing before the activation."""
        return nn.Identity()


@dataclass(eq=False)
class LeakyReLU(Layer):
    """x, or alpha x where x is below 0: (None, ...) -> (None, ...)."""

    alpha: float = 0.3

    def make(self, shape: Shape) -> nn.Module:
        """The activation."""
        return nn.LeakyReLU(self.alpha)


@dataclass(eq=False)
class Add(Layer):
    """The sum of several inputs of one shape, as `Add()([a, b])`."""

    def make(self, shape: Any) -> nn.Module:
        """The sum."""
        if len(set(shapes_of(shape))) > 1:
            raise ShapeError("what is added has one shape.")
        return Sum()


@dataclass(eq=False)
class Concatenate(Layer):
    """Several inputs behind each other along the channels, the last axis: `Concatenate()([a, b])`."""

    axis: int = -1

    def make(self, shape: Any) -> nn.Module:
        """The joining."""
        if self.axis not in (-1, len(shapes_of(shape)[0])):
            raise UsageError(f"Concatenate of svertka.keras joins the channels, axis=-1; received {self.axis}.")
        if len({one[1:] for one in shapes_of(shape)}) > 1:
            raise ShapeError("what is joined differs in its channels only.")
        return Channels()


@dataclass(eq=False)
class InputLayer(Layer):
    """The input of a model, which it passes on."""

    def make(self, shape: Shape) -> nn.Module:
        """Nothing."""
        return nn.Identity()


def Input(shape: tuple[int, ...], *, name: str | None = None) -> Symbol:
    """Where a model made of called layers begins: (height, width, channels) without the batch.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(input_shape=tuple(shape), name=name or "input")
    return Symbol(layer.build(inward(tuple(shape))), layer)


def add(inputs: Sequence[Symbol]) -> Symbol:
    """The sum of several inputs of one shape."""
    return Add()(inputs)


def concatenate(inputs: Sequence[Symbol], axis: int = -1) -> Symbol:
    """Several inputs behind each other along the channels."""
    return Concatenate(axis)(inputs)


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


@dataclass(eq=False)
class SpatialDropout2D(Layer):
    """In training, zero for this share of the channels: (None, h, w, c) -> (None, h, w, c)."""

    rate: float

    def make(self, shape: Shape) -> nn.Module:
        """The dropout."""
        _picture(shape)
        return nn.Dropout2d(self.rate)


# Keras' other names
Convolution2D = Conv2D
SeparableConvolution2D, DepthwiseConvolution2D = SeparableConv2D, DepthwiseConv2D
MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D

__getattr__ = getter(__name__, [*LAYERS, "Input", "add", "concatenate"])

"""Any network by name: with fresh weights, without storage for any, or for inputs of one shape."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from svertka.blocks import Net
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.zoo.registry import Variant

FAMILIES: tuple[str, ...] = (
    "image.lenet",
    "image.stock",
    "image.alexnet",
    "image.zfnet",
    "image.vgg",
    "image.googlenet",
    "image.inception_v3",
    "image.squeezenet",
    "image.densenet",
    "image.resnet",
    "image.resnet_cifar",
    "image.mobilenet_v1",
    "image.mobilenet_v2",
    "image.mobilenet_v3",
    "image.efficientnet",
    "image.convnext",
    "series.conformer",
    "series.fcn1d",
    "series.resnet1d",
    "series.inceptiontime",
)


@cache
def variants() -> dict[str, Variant]:
    """All networks by name, in the order of the families."""
    rows = [row for family in FAMILIES for row in importlib.import_module(f"svertka.zoo.{family}").VARIANTS]
    return {row.name: row for row in rows}


def variant(name: str) -> Variant:
    """The row of a network.

    Raises:
        UnknownName: there is no network of that name; the message offers what is near.
    """
    rows = variants()
    if name not in rows:
        raise UnknownName("network", name, rows, where="`svertka nets` lists them all.")
    return rows[name]


def fresh_net(name: str, *, classes: int | None = None, channels: int | None = None, **options: Any) -> Net:
    """A network by name with fresh weights, on torch's default device, its weights drawn from torch's generator.

    Args:
        name: one of `variants()`.
        classes: outputs; the published number where None.
        channels: input channels; the published number where None.
        options: what the family takes beyond that (its file says so).

    Raises:
        UnknownName: there is no network of that name, or the family has no such option.
        UsageError: fewer than one class or channel.
        ShapeError: the network is built for one input size and cannot be for this one.
    """
    row = variant(name)
    known = row.options()
    for option in options:
        if option not in known:
            raise UnknownName(f"option of {name}", option, known)
    classes = row.classes if classes is None else classes
    channels = row.channels if channels is None else channels
    if classes < 1 or channels < 1:
        raise UsageError(f"{name} needs 1 class and 1 channel at least, not {classes} and {channels}.")
    if options.get("size", row.least) < row.least:
        raise ShapeError(f"{name} takes inputs of {row.least} or more along each side, not {options['size']}.")
    made = row.build(classes=classes, channels=channels, **options)
    made.name, made.least, made.options = row.name, row.least, dict(options)
    return made


def empty_net(name: str, *, classes: int | None = None, channels: int | None = None, **options: Any) -> Net:
    """The same network without storage for its weights: made at once, to be filled by `rename_tensors.load_state`.

    Raises:
        UnknownName, UsageError: as `fresh_net` does.
    """
    with without_storage():
        return fresh_net(name, classes=classes, channels=channels, **options)


@contextlib.contextmanager
def without_storage() -> Iterator[None]:
    """Networks built inside have shapes but no numbers, for weights that follow."""
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    """No normal numbers for weights without storage: PyTorch would import a symbolic algebra, seconds, to draw none."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.normal_:
            return args[0]
        if func is torch.nn.init.normal_:
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def make(what: str, shape: tuple[int, ...], classes: int) -> Net:
    """A network by name or by notation, for inputs of one shape: what `--net` and a saved model go through.

    Args:
        what: a name of `variants()`, or a line of `svertka.notation`.
        shape: of one input, (channels, *size).
        classes: outputs.

    Raises:
        UnknownName: neither a name nor notation.
        NotationError: a line of notation that does not parse or does not fit the shape.
        ShapeError: the input is smaller than the network can take, or has another number of sides.
    """
    if " " in what.strip() or "(" in what:  # no name has either
        from svertka.notation import build

        return build(what, shape, classes)
    row = variant(what)
    if row.dims != len(shape) - 1:
        fitting = [name for name, other in variants().items() if other.dims == len(shape) - 1][:3]
        kinds = {1: "series, along one side", 2: "pictures, along two"}
        raise ShapeError(
            f"{what} works on {kinds[row.dims]}, and these samples are {'x'.join(map(str, shape))}: "
            f"{', '.join(fitting)} would do, and `svertka nets` lists more."
        )
    made = fresh_net(what, classes=classes, channels=shape[0], **row.fitted(shape[1:]))
    made.check(shape[1:])
    return made

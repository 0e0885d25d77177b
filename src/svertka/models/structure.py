"""A network as plain data, and again as a network: what a saved model is built from, whatever the zoo has become since.

    {"kind": "Sequential", "parts": {
        "conv": {"kind": "Conv2d", "in_channels": 3, "out_channels": 64, "kernel_size": 3, "padding": 1, "bias": false},
        "act": {"kind": "ReLU", "inplace": true}}}

Each module says its kind (blocks/saved.py), what differs from the usual among the arguments or attributes of that
kind, the shapes of tensors of its own, and its parts. Nothing in it executes: what is built can only be of kinds that
are `saved_as` something, and its numbers, texts and lists are only ever arguments of theirs.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from svertka.blocks import SAVED, SavedClass, saved_class_of
from svertka.common.text import shorten
from svertka.errors import RunError, UsageError
from svertka.zoo import FAMILIES

PAIRED = (nn.Conv1d, nn.Conv2d, nn.LayerNorm)  # layers that make (3, 3), or (3,), of 3 themselves
NO_ARGUMENTS = ("self", "device", "dtype")
TYPES = {"float32": torch.float32, "int64": torch.int64}
OPEN = object()  # in place of a usual value: there is none


def outline(module: nn.Module) -> dict[str, Any]:
    """A network, or a part of one, as data that JSON can write.

    Raises:
        UsageError: it holds a module of a class that is not `saved_as` anything.
    """
    kind = saved_class_of(module)
    if kind is None:
        raise UsageError(
            f"A network with a {type(module).__name__} ({type(module).__module__}) cannot be saved: svertka could not "
            "build it again. Networks of the zoo and of notation can be."
        )
    config: dict[str, Any] = {"kind": kind.name}
    if kind.keeps is None:
        return config | _arguments(module, kind)
    config |= {name: _written(getattr(module, name)) for name in kind.keeps if name in vars(module)}
    for field, own in (("parameters", module._parameters), ("buffers", module._buffers)):
        tensors = {name: [_type_name(t), *t.shape] for name, t in own.items() if t is not None}
        config |= {field: tensors} if tensors else {}
    parts = {name: outline(part) for name, part in module.named_children()}
    return config | ({"parts": parts} if parts else {})


def rebuild(config: Mapping[str, Any]) -> nn.Module:
    """The network that `outline` gives, for weights that follow; on torch's default device.

    Raises:
        RunError: it tells of a kind of module that this version does not know, or not what that kind needs.
    """
    name = config.get("kind") if isinstance(config, Mapping) else None
    kind = find_saved_class(str(name))
    if kind is None:
        raise RunError(
            f"The network has a part of kind {shorten(repr(name), 60)}, which this version of svertka does not know."
        )
    rest = {key: value for key, value in config.items() if key != "kind"}
    try:
        return _layer(kind, rest) if kind.keeps is None else _block(kind, kind.keeps, rest)
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as why:
        raise RunError(
            f"The network has a {kind.name} that cannot be built from {shorten(repr(rest), 80)}: "
            f"{shorten(str(why), 80)}."
        ) from why


def find_saved_class(name: str) -> SavedClass | None:
    """A kind by the name that files give it; None if there is none. Its family is imported only now.

    >>> find_saved_class("resnet.Basic").made.__name__, find_saved_class("os.system")
    ('Basic', None)
    """
    family = name.partition(".")[0]
    for module in sorted(FAMILIES, key=lambda module: module.rpartition(".")[2] != family):  # the likely one first
        if name in SAVED:
            break
        importlib.import_module(f"svertka.zoo.{module}")
    return SAVED.get(name)


def _layer(kind: SavedClass, config: Mapping[str, Any]) -> nn.Module:
    return kind.made(**{name: _read(value) for name, value in config.items()})


def _block(kind: SavedClass, keeps: tuple[str, ...], config: Mapping[str, Any]) -> nn.Module:
    """A module without its own `__init__`, which would ask for what its parts already are."""
    unknown = set(config) - {*keeps, "parameters", "buffers", "parts"}
    if unknown:
        raise ValueError(f"it has no {', '.join(sorted(unknown))}")
    made = kind.made.__new__(kind.made)
    nn.Module.__init__(made)
    for name in keeps:
        if name in config or not hasattr(kind.made, name):  # else it is as usual in its class
            setattr(made, name, _read(config[name]))
    for name, (dtype, *shape) in config.get("parameters", {}).items():
        made.register_parameter(name, nn.Parameter(torch.zeros(shape, dtype=TYPES[dtype])))
    for name, (dtype, *shape) in config.get("buffers", {}).items():
        made.register_buffer(name, torch.zeros(shape, dtype=TYPES[dtype]))
    for name, part in config.get("parts", {}).items():
        made.add_module(name, rebuild(part))
    return made


def _arguments(layer: nn.Module, kind: SavedClass) -> dict[str, Any]:
    """The arguments that a layer was made with, those left out whose value is the usual one."""
    config = {}
    for name, usual in _usual(kind).items():
        value = getattr(layer, name)
        if name == "bias":  # the layer keeps its numbers under that name
            value = value is not None
        if isinstance(layer, PAIRED) and isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if value != usual:
            config[name] = _written(value)
    return config


@cache
def _usual(kind: SavedClass) -> dict[str, Any]:
    """The arguments of a layer's class and their usual values; OPEN where there is none."""
    found = inspect.signature(kind.made.__init__).parameters
    named = (p for p in found.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    return {p.name: OPEN if p.default is p.empty else p.default for p in named if p.name not in NO_ARGUMENTS}


def _written(value: Any) -> Any:
    """A plain value as JSON has it: a tuple becomes a list, and an infinite number, which JSON lacks, a text."""
    if isinstance(value, tuple | list):
        return [_written(one) for one in value]
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _read(value: Any) -> Any:
    """A plain value as modules have it: a list becomes a tuple."""
    if isinstance(value, list):
        return tuple(map(_read, value))
    return float(value["float"]) if isinstance(value, dict) and list(value) == ["float"] else value


def _type_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")

"""The classes of modules that a saved network may be made of, by the names that files give them.

A class says so beside itself:

    @saved_as("resnet.Basic")
    class Basic(Block): ...

Files hold these names, so a name is for ever: a class that moves or is renamed keeps it, and one whose arithmetic or
arguments change becomes a new class with a new name, while the old one stays for as long as its models are to be read
(tests/models/test_structure.py holds what they compute).

There are two ways to make one again:
- a layer, by the arguments of its class, which it keeps as attributes of the same names;
- whatever else, by its parts and own tensors, and by the few plain attributes that its forward pass reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class SavedClass:
    """A class of modules and how it is saved.

    name   what files call it
    made   its class
    keeps  plain attributes that belong to it; None of a layer, which is made by its arguments
    """

    name: str
    made: type[nn.Module]
    keeps: tuple[str, ...] | None


SAVED: dict[str, SavedClass] = {}  # of what has been imported
_BY_CLASS: dict[type[nn.Module], SavedClass] = {}


def saved_as(name: str, *, keeps: tuple[str, ...] | None = ()) -> Callable[[type[M]], type[M]]:
    """A class decorator: saved networks may hold it, and call it so.

    Args:
        name: what files call it, for ever.
        keeps: plain attributes that its forward pass reads; None of a layer, which is made by its arguments.

    Raises:
        ValueError: another class has that name.
    """

    def register(made: type[M]) -> type[M]:
        if name in SAVED:
            raise ValueError(f"two classes would be saved as {name}: {SAVED[name].made.__name__} and {made.__name__}")
        SAVED[name] = _BY_CLASS[made] = SavedClass(name, made, keeps)
        return made

    return register


def saved_class_of(module: nn.Module) -> SavedClass | None:
    """The kind of a module; None of a class that is none of them. A subclass is another class."""
    return _BY_CLASS.get(type(module))


for _name in (
    *("Conv1d", "Conv2d", "Linear", "Identity", "Flatten", "Dropout"),
    *("BatchNorm1d", "BatchNorm2d", "LayerNorm", "LocalResponseNorm", "ConstantPad1d", "ConstantPad2d"),
    *("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"),
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"),
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "GELU", "SiLU"),
    *("Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "Softmax"),
):
    saved_as(_name, keeps=None)(getattr(nn, _name))
for _name in ("Sequential", "ModuleList", "ModuleDict"):
    saved_as(_name)(getattr(nn, _name))

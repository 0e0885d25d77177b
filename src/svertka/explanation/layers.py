"""Which layer to look at: by name, or the last one whose maps still have places.

A network of the silhouette offers its stages; any other module, all its parts. Where the last stage has shrunk to a
single place (a small picture in a deep network) the one before it is taken, since one place cannot tell where.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from svertka.blocks import LastStages, Net
from svertka.errors import ShapeError, UnknownName, UsageError


def layers(net: nn.Module) -> list[str]:
    """The names of all parts of a network, in its own order."""
    return [name for name, _ in net.named_modules() if name]


def find(net: nn.Module, name: str) -> nn.Module:
    """A part of a network by its name, such as `stages.3`.

    Raises:
        UnknownName: there is none; the message lists the choices.
    """
    if name not in layers(net):
        top = [f"stages.{n}" for n, _ in net.stages.named_children()] if isinstance(net, Net) else []
        choices = ", ".join(top or [n for n, _ in net.named_children()])
        raise UnknownName("layer", name, layers(net), where=f"The main ones are {choices}; each has parts.")
    return net.get_submodule(name)


def choose(net: nn.Module, x: Tensor) -> str:
    """The name of the last layer whose maps of x have more than one place.

    Raises:
        UsageError: there is none.
    """
    if isinstance(net, Net) and type(net).features is Net.features:
        names = ["stem", *(f"stages.{n}" for n, _ in net.stages.named_children())]
        names += ["stages"] if isinstance(net.stages, LastStages) else []  # all the maps that the head is told of
    else:  # every part that is no container of others
        names = [name for name, part in net.named_modules() if name and next(part.children(), None) is None]
    ran = sizes(net, x[:1], names)
    spread = [name for name, shape in ran.items() if len(shape) > 2 and prod(shape[2:]) > 1]
    if not spread:
        raise UsageError(
            f"No layer of this network keeps more than one place of an input of {'x'.join(map(str, x.shape[1:]))}; "
            "occlusion, rise and saliency need none."
        )
    return spread[-1]


@torch.no_grad()
def sizes(net: nn.Module, x: Tensor, names: list[str]) -> dict[str, tuple[int, ...]]:
    """The shape that leaves each of some layers, in the order in which they ran."""
    found: dict[str, tuple[int, ...]] = {}

    def hook(name: str) -> Any:
        def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found.pop(name, None)
                found[name] = tuple(output.shape)

        return note

    handles = [net.get_submodule(name).register_forward_hook(hook(name)) for name in names]
    try:
        forward(net, x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def forward(net: nn.Module, x: Tensor) -> Tensor:
    """The scores (n, classes).

    Raises:
        ShapeError: the network cannot take x, or gives no row of scores for each input.
    """
    try:
        scores = net(x)
    except (RuntimeError, ValueError) as why:
        reason = str(why).strip().partition("\n")[0]
        raise ShapeError(
            f"{type(net).__name__} cannot take an input of {'x'.join(map(str, x.shape[1:]))}: {reason}"
        ) from why
    if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != len(x):
        raise ShapeError(
            f"{type(net).__name__} gives no row of class scores for each input; that is what is explained."
        )
    return scores

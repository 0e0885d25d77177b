"""Frozen means frozen: no gradient, no step, and batch norms that neither measure nor move.

Peers that only switch gradients off leave running statistics moving, and the "frozen" part changes all the same.
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import Net
from svertka.errors import UnknownName

WORDS = ("auto", "none", "backbone")


def freeze(net: Net, what: str) -> list[nn.Module]:
    """Freeze a part of a network; returns the parts, which the loop keeps in evaluation mode.

    Args:
        net: parts of it stop taking gradients.
        what: see `named_parts`.

    Raises:
        UnknownName: see `named_parts`.
    """
    parts = named_parts(net, what)
    for part in parts:
        for parameter in part.parameters():
            parameter.requires_grad_(False)
    return parts


def named_parts(net: Net, what: str) -> list[nn.Module]:
    """The parts of a network that a person means.

    Args:
        net: is left as it is.
        what: "none"; "backbone", all but the head; a number N, the stem and the first N stages; or names of parts
            between commas, as `stem,stages.0,stages.3.1`.

    Raises:
        UnknownName: not one of these, or the network has no such part; the message lists the choices.
    """
    if what == "none":
        return []
    if what == "backbone":
        return [net.stem, net.stages, net.pool]
    if what in map(str, range(len(net.stages) + 1)):
        return [net.stem, *list(net.stages)[: int(what)]]
    return [_part(net, name.strip()) for name in what.split(",")]


def _part(net: Net, name: str) -> nn.Module:
    try:
        if name.partition(".")[0] in ("stem", "stages", "pool", "head"):
            return net.get_submodule(name)
    except AttributeError:
        pass  # said below, with the choices
    stages = [f"stages.{k}" for k in range(len(net.stages))]
    hint = f"It takes none, backbone, 0 to {len(net.stages)} (the stem and so many stages), stem, {', '.join(stages)}."
    raise UnknownName(f"part to freeze in {net.name}", name, ["stem", *stages], hint)

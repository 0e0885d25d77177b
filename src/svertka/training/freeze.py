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
        what: "none"; "backbone", all but the head; or a number N, the stem and the first N stages.

    Raises:
        UnknownName: not one of these, or the network has fewer stages; the message lists the choices.
    """
    if what == "none":
        return []
    if what == "backbone":
        parts = [net.stem, net.stages, net.pool]
    else:
        choices = ["none", "backbone", *map(str, range(len(net.stages) + 1))]
        if what not in choices:
            raise UnknownName(f"part to freeze in {net.name}", what, choices)
        parts = [net.stem, *net.stages[: int(what)]]
    for part in parts:
        for parameter in part.parameters():
            parameter.requires_grad_(False)
    return parts

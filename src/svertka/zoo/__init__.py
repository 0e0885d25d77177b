"""The networks, one family a file, and the one function that builds any of them by name.

A family file defines `VARIANTS`, a tuple of rows (see registry.Variant). Add its name to FAMILIES and it is known to
every verb, to the table of networks and to the contract test.
"""

from __future__ import annotations

import importlib
from functools import cache

import torch

from svertka.blocks import Net
from svertka.errors import UnknownName
from svertka.zoo.registry import Variant

FAMILIES: tuple[str, ...] = ("lenet",)

__all__ = ["FAMILIES", "Variant", "net", "variant", "variants"]


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


def net(name: str, *, classes: int | None = None, channels: int | None = None, **options: object) -> Net:
    """A fresh network by name, with random weights drawn from torch's current generator.

    Args:
        name: one of `variants()`.
        classes: outputs; the published number where None.
        channels: input channels; the published number where None.
        options: what the family takes beyond that (its file says so).

    Raises:
        UnknownName: there is no network of that name.
    """
    row = variant(name)
    with torch.device("cpu") if torch.get_default_device().type == "cpu" else torch.get_default_device():
        return row.build(classes=classes or row.classes, channels=channels or row.channels, **options)

"""`table`: every layer of a network with its output, memory, weights, multiply-adds and receptive field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from svertka import tabulate, zoo
from svertka.bundle import Model


def table(net: Any, *, shape: tuple[int, ...] | None = None, classes: int | None = None) -> tabulate.Table:
    """The table of a network.

    Args:
        net: a name of the zoo, a line of notation, a run folder, a `Model` or any module that takes one tensor.
        shape: (channels, *size) of the input; the published one, or the run's, where None.
        classes: outputs, where `net` is a name or notation; the published number, or 1000, where None.

    Raises:
        UnknownName, NotationError, ShapeError, UsageError: see svertka.errors.
    """
    if isinstance(net, str | Path) and (Path(net) / "model").is_dir():
        net = Model.load(net)
    if isinstance(net, Model):
        shape, net = shape or net.preprocess.shape, net.net
    if isinstance(net, str):
        row = zoo.variants().get(net)
        shape = shape or ((row.channels, *([row.size] * row.dims)) if row else (3, 224, 224))
        with torch.device("meta"):
            net = zoo.make(net, shape, classes or (row.classes if row else 1000))
    return tabulate.table(net, shape or (3, 224, 224))

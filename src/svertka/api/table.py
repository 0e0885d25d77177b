"""`table`: every layer of a network with its output, memory, weights, multiply-adds and receptive field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svertka import summary
from svertka.models import Model


def table(net: Any, *, shape: tuple[int, ...] | None = None, classes: int | None = None) -> summary.Table:
    """The table of a network.

    Args:
        net: a name of the zoo, a line of notation, a run folder, a `Model` or any module that takes one tensor.
        shape: (channels, *size) of the input; the published one, or the run's, where None.
        classes: outputs, where `net` is a name or notation; the published number where None.

    Raises:
        UnknownName, NotationError, ShapeError, UsageError: see svertka.errors.
    """
    if isinstance(net, str | Path) and Path(net).is_dir():
        net = Model.load(net)
    if isinstance(net, Model):
        return summary.table(net.net, shape or net.preprocess.shape, name=str(net.spec["name"]))
    return summary.table_of(net, shape, classes)

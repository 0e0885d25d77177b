"""The layer table of a network: what leaves every layer, what it stores, learns, computes and sees.

table(net, input) -> Table        of any module that takes one tensor
table_of(what) -> Table           of a network of the zoo by name, a line of notation, or a module
show.rich_table, show.html        the same for people; Table.to_dict() for programs
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from svertka import notation, zoo
from svertka.errors import ShapeError, UsageError
from svertka.summary.forward_trace import reach, watch
from svertka.summary.receptive_field import of_input
from svertka.summary.records import Layer, Totals
from svertka.summary.table import Table

__all__ = ["Layer", "Table", "Totals", "table", "table_of"]


def table(
    net: nn.Module,
    input: Sequence[int] = (3, 224, 224),
    *,
    name: str = "",
    dtype: torch.dtype | None = None,
    numbers: bool = False,
) -> Table:
    """The layer table of a module for one input of the given shape, without the batch.

    The module is copied, without its numbers unless these are wanted, and stays as it is. Layers are counted as they
    run in evaluation.

    Args:
        net: any module whose forward takes one tensor.
        input: (channels, height, width), (channels, length), or (numbers,).
        name: what to call it; the class where empty.
        dtype: of the input; that of the parameters where None.
        numbers: run the copy with its numbers, on zeros: for a small network at hand, since PyTorch follows shapes
            alone by a part of its compiler, which takes a second to import.

    >>> first, conv, pool = table(nn.Sequential(nn.Conv2d(1, 6, 5), nn.AvgPool2d(2)), (1, 32, 32)).layers
    >>> conv.word, conv.output, conv.weights, conv.receptive_field, pool.receptive_field
    ('conv5-6v', (6, 28, 28), 150, 5, 6)

    Raises:
        UsageError: the module needs another number of inputs, or the input is no shape.
        ShapeError: the module cannot take an input of this shape.
    """
    shape = tuple(input)
    if not shape or min(shape) < 1:
        raise UsageError(f"The input is a shape such as 3x224x224; received {'x'.join(map(str, shape)) or 'nothing'}.")
    _takes_one_tensor(net)
    floating = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float32)
    dtype = dtype or floating
    try:
        rows, idle = watch(net, shape, dtype, numbers)
    except (RuntimeError, ValueError, IndexError, TypeError) as why:
        reason = str(why).strip().partition("\n")[0]
        raise ShapeError(f"{type(net).__name__} cannot take an input of {'x'.join(map(str, shape))}: {reason}") from why
    first = Layer("input", "input", "input", shape, prod(shape), 0, 0, 0, reach(of_input((1, *shape)), shape))
    layers = (first, *(row.layer(shape) for row in rows))
    memory = sum(layer.memory for layer in layers)
    totals = Totals(
        parameters=sum(p.numel() for p in net.parameters()),
        idle=idle,
        memory=memory,
        macs=sum(layer.macs for layer in layers),
        parameter_bytes=sum(p.numel() * p.element_size() for p in net.parameters()),
        forward_bytes=memory * floating.itemsize,
        training_bytes=2 * memory * floating.itemsize,
    )
    return Table(name or type(net).__name__, shape, layers, totals)


def table_of(what: str | nn.Module, input: Sequence[int] | None = None, classes: int | None = None) -> Table:
    """The layer table of a network by name, of a line of notation, or of a module.

    Args:
        what: the network; by name or notation it is built without numbers, whatever its size.
        input: the shape without the batch; where None, the published one, and 3x224x224 for all others.
        classes: outputs of a name or of bare `fc`; where None, the published number, or 1000.

    Raises:
        UnknownName: no network of that name.
        NotationError: the line does not read or does not fit.
        UsageError, ShapeError: as `table`.
    """
    if isinstance(what, nn.Module):
        return table(what, input or (3, 224, 224))
    row = zoo.variants().get(what)
    published = (row.channels, *(row.size,) * row.dims) if row else (3, 224, 224)
    shape = tuple(input or published)
    if row is not None and len(shape) != 1 + row.dims:
        sizes = "x".join(map(str, published))
        raise ShapeError(f"{what} takes inputs such as {sizes}; received {'x'.join(map(str, shape))}.")
    if row is None and len(what.split()) > 1:
        tree = notation.parse(what)
        fixed = [node.units for node in tree.layers if isinstance(node, notation.syntax.Linear)][-1:]
        classes = classes or (fixed[0] if fixed else None)
    with torch.device("meta"):
        net = zoo.make(what, shape, classes or (row.classes if row else 1000))
    return table(net, shape, name=what)


def _takes_one_tensor(net: nn.Module) -> None:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    inputs = inspect.signature(net.forward).parameters.values()
    needed = [p.name for p in inputs if p.default is p.empty and p.kind in (*positional, p.KEYWORD_ONLY)]
    possible = [p for p in inputs if p.kind in (*positional, p.VAR_POSITIONAL)]
    if len(needed) > 1 or not possible:
        raise UsageError(
            f"{type(net).__name__} needs {len(needed)} inputs ({', '.join(needed)}), a table "
            "follows one; wrap it in a module whose forward(x) makes the others from x or holds them fixed."
        )

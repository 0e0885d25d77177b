"""The fully connected layer: every output is a weighted sum of all inputs.

    y[n, o] = bias[o]  +  sum over i of  x[n, i] * weight[o, i]

It is a convolution whose window is as large as its input.

Source: lectures 001 and 003.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError
from svertka.ops.forms import Case, Operation, fill


def front(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Check a call: x (n, inputs), weight (outputs, inputs), bias (outputs,), or zeros where None.

    Raises:
        ShapeError: the sizes do not fit together.
    """
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"A fully connected layer takes (n, inputs) and a weight (outputs, inputs); "
            f"received {tuple(x.shape)} and {tuple(weight.shape)}."
        )
    outputs = len(weight)
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"There are {outputs} outputs, each with one bias; received {tuple(bias.shape)}.")
    return x, weight, weight.new_zeros(outputs) if bias is None else bias


def definition(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The formula above, number by number."""
    outputs, inputs = weight.shape

    def number(n: int, o: int) -> Tensor:
        total = bias[o]
        for i in range(inputs):
            total = total + x[n, i] * weight[o, i]
        return total

    return fill((len(x), outputs), number)


linear = Operation(
    "linear",
    "y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]",
    front,
    {"definition": definition, "matrix": lambda x, weight, bias: x @ weight.T + bias, "torch": F.linear},
    (Case(((3, 5), (2, 5), (2,))), Case(((1, 1), (4, 1), None))),
)

"""Activations: what stands between two linear layers, without which they would be one.

    relu          max(0, v)                       leaky_relu    v where v > 0, else slope * v
    sigmoid       1 / (1 + exp(-v))               tanh          (exp(v) - exp(-v)) / (exp(v) + exp(-v))
    softmax       exp(v) / sum of exp over the classes

They have two forms. A matrix form cannot be: each is a function of a number that is not a multiple of it (and
softmax of a row), and a matrix does nothing but multiply and add. The definitions are for numbers of ordinary
size; the library's calls also keep their digits where exp would overflow.

Source: lectures 000, 001 and 003; leaky ReLU: Maas, Hannun and Ng 2013.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError
from svertka.ops.forms import Case, Operation, fill

CASES = (Case(((7,),)), Case(((2, 3, 2),)))


def each(rule: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A rule for one number, as a rule for every number of a tensor."""
    return lambda x, *options: fill(x.shape, lambda *at: rule(x[at], *options))


def front(x: Tensor) -> tuple[Tensor]:
    """Check a call: x is of any shape, and so is the answer."""
    return (x,)


def leaky_front(x: Tensor, slope: float = 0.01) -> tuple[Tensor, float]:
    """Check a call: x is of any shape; `slope` is that of the line below 0, where ReLU is flat."""
    return x, slope


def softmax_front(x: Tensor, axis: int = 1) -> tuple[Tensor, int]:
    """Check a call: x is of any shape; the numbers along `axis`, the classes, become shares that sum to 1.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"A tensor of shape {tuple(x.shape)} has no axis {axis}; it has 0 to {x.ndim - 1}.")
    return x, axis % x.ndim


def softmax_definition(x: Tensor, axis: int) -> Tensor:
    """The exponential of each number, divided by the sum of those in its row."""

    def number(*at: int) -> Tensor:
        row = (x[*at[:axis], j, *at[axis + 1 :]] for j in range(x.shape[axis]))
        return torch.exp(x[at]) / reduce(add, (torch.exp(v) for v in row))

    return fill(x.shape, number)


relu = Operation(
    "relu",
    "y = max(0, x)",
    front,
    {"definition": each(lambda v: v if v > 0 else torch.zeros_like(v)), "torch": F.relu},
    CASES,
    why="relu(-1) is not -relu(1), and a matrix turns signs along",
)
leaky_relu = Operation(
    "leaky_relu",
    "y = x where x > 0, else slope * x",
    leaky_front,
    {"definition": each(lambda v, slope: v if v > 0 else slope * v), "torch": F.leaky_relu},
    (*CASES, Case(((3, 3),), {"slope": 0.2})),
    why="above 0 it multiplies by 1 and below by the slope, and a matrix multiplies by the same everywhere",
)
sigmoid = Operation(
    "sigmoid",
    "y = 1 / (1 + exp(-x))",
    front,
    {"definition": each(lambda v: 1 / (1 + torch.exp(-v))), "torch": torch.sigmoid},
    CASES,
    why="sigmoid(0) is one half, and a matrix leaves zero at zero",
)
tanh = Operation(
    "tanh",
    "y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    front,
    {
        "definition": each(lambda v: (torch.exp(v) - torch.exp(-v)) / (torch.exp(v) + torch.exp(-v))),
        "torch": torch.tanh,
    },
    CASES,
    why="tanh(2) is not twice tanh(1), and a matrix doubles what is doubled",
)
softmax = Operation(
    "softmax",
    "y[n, c] = exp(x[n, c]) / sum over j of exp(x[n, j])",
    softmax_front,
    {"definition": softmax_definition, "torch": torch.softmax},
    (Case(((3, 4),)), Case(((2, 3, 2),)), Case(((2, 2, 3),), {"axis": -1}), Case(((4, 1),))),
    why="its answers always sum to 1, and those of a matrix double with its input",
)

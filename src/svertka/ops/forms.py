"""What an operation is: one front that understands the call, and up to three forms that compute the same.

    definition   the formula, number by number, in loops, as the lecture writes it
    matrix       the same as a matrix product
    torch        the library's call, which everything else uses

`ops.conv2d(x, weight)` is the torch form; `ops.conv2d.definition(x, weight)` and `ops.conv2d.matrix(x,
weight)` take the same arguments. The front checks them once, so a mistake is the same sentence in every form,
and the forms are pure arithmetic.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Generic, ParamSpec

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.shapes import Window

P = ParamSpec("P")

FORMS = ("definition", "matrix", "torch")
LAYOUTS = {1: "(n, channels, length)", 2: "(n, channels, height, width)"}


@dataclass(frozen=True, slots=True)
class Case:
    """An example to prove an operation on: the shapes of its tensors (None: left out) and its options."""

    tensors: tuple[tuple[int, ...] | None, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def but(self, **options: Any) -> Case:
        """The same case with other options."""
        return replace(self, options={**self.options, **options})


@dataclass(frozen=True, slots=True, repr=False)
class Operation(Generic[P]):
    """One operation in all its forms; called, it is the torch form.

    Attributes:
        name: as in the table of operations.
        formula: what one output number is.
        front: the arguments as a person gives them -> what the forms take; raises ShapeError.
        forms: the computations, by name.
        why: where there is no matrix form, the reason.
        axes: 1 or 2 where the operation is for series or for pictures, None where it does not matter.
        cases: awkward examples, which `prove` runs.
    """

    name: str
    formula: str
    front: Callable[P, tuple[Any, ...]]
    forms: Mapping[str, Callable[..., Tensor]]
    cases: tuple[Case, ...]
    why: str = ""
    axes: int | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """The torch form."""
        return self.torch(*args, **kwargs)

    @property
    def definition(self) -> Callable[P, Tensor]:
        """The formula in loops: slow, and nothing hidden."""
        return self.form("definition")

    @property
    def matrix(self) -> Callable[P, Tensor]:
        """The matrix product.

        Raises:
            UsageError: there is none; says why.
        """
        return self.form("matrix")

    @property
    def torch(self) -> Callable[P, Tensor]:
        """The library's call."""
        return self.form("torch")

    def form(self, name: str) -> Callable[P, Tensor]:
        """One form by name, called like the operation itself.

        Raises:
            UnknownName: there is no form of that name.
            UsageError: this operation does not have it; says why.
        """
        if name not in FORMS:
            raise UnknownName("form", name, FORMS)
        if name not in self.forms:
            raise UsageError(f"{self.name} has no {name} form: {self.why}.")

        def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
            if self.axes and args and isinstance(args[0], Tensor) and args[0].ndim != self.axes + 2:
                shape = tuple(args[0].shape)
                raise ShapeError(f"{self.name} takes {LAYOUTS[self.axes]}; received a tensor of shape {shape}.")
            return self.forms[name](*self.front(*args, **kwargs))

        return call

    def __repr__(self) -> str:
        return f"<{self.name}: {', '.join(self.forms)}>"

    def __str__(self) -> str:
        parameters = inspect.signature(self.front).parameters.values()
        call = inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in parameters])
        missing = f"\nno matrix form: {self.why}" if self.why else ""
        return f"{self.name}{call}\n{self.formula}\nforms: {', '.join(self.forms)}{missing}"


def grid(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every index of a tensor of that shape, the last axis fastest.

    >>> list(grid((2, 2)))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product(*map(range, shape))


def fill(shape: Sequence[int], number: Callable[..., Tensor]) -> Tensor:
    """The tensor of that shape whose every number is `number(*index)`.

    >>> fill((2, 3), lambda i, j: torch.tensor(10 * i + j))
    tensor([[ 0,  1,  2],
            [10, 11, 12]])
    """
    return torch.stack([number(*index) for index in grid(shape)]).reshape(tuple(shape))


def pad(x: Tensor, windows: Sequence[Window], value: float = 0.0) -> Tensor:
    """Lengthen the axes so that every window lies inside: (n, c, *size) -> (n, c, *size')."""
    sizes = x.shape[-len(windows) :]
    ends = [(*window.pads(size), window.overhang(size)) for window, size in zip(windows, sizes, strict=True)]
    flat = [end for before, after, over in reversed(ends) for end in (before, after + over)]
    return F.pad(x, flat, value=value) if any(flat) else x


def unroll(x: Tensor, windows: Sequence[Window]) -> Tensor:
    """What each window sees, laid out (im2col), of a padded input: (n, c, *size) -> (n, c, *out, *kernel).

    >>> unroll(torch.arange(5).reshape(1, 1, 5), [Window(kernel=3)])
    tensor([[[[0, 1, 2],
              [1, 2, 3],
              [2, 3, 4]]]])
    """
    for axis, window in enumerate(windows, start=2):
        x = x.unfold(axis, window.reach, window.stride)[..., :: window.dilation]
    return x

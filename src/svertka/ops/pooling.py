"""Pooling: a window slides along each channel for itself; of what it sees, one number is left.

    y[n, c, k] = reduce of  x[n, c, k * stride + t]  over the places t under the window that hold a pixel

    max        the largest                       min        the smallest
    sum        the sum                           average    the sum, divided by how many places count

What padding means, exactly: a padded place holds no pixel.
- max, min: it is never the answer (as PyTorch; the lectures' "frame of zeros" would beat a picture of
  negative numbers).
- sum: it adds nothing.
- average: it adds nothing, and it counts in the divisor if `count_padding` is set. PyTorch counts it unless
  told otherwise, and so does this default; Keras never does. What hangs over the end by `ceil` never counts.

The stride is the window's size unless given. Where several pixels share the maximum, the first gets the
gradient. None of these mixes channels. The matrix form has each window as a row (im2col): sum and average
multiply it by a column of ones; max and min are not linear, so there the row is reduced instead.

Source: lectures 000 to 003.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import inf, prod
from operator import add

import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError
from svertka.ops.forms import Case, Operation, fill, pad, unroll
from svertka.shapes import Paddings, Sizes, Window, output_shape, windows

Windows = tuple[Window, ...]


def front(
    x: Tensor, size: Sizes, stride: Sizes | None = None, padding: Paddings = "valid", *, ceil: bool = False
) -> tuple[Tensor, Windows]:
    """Check a call of pooling, and make a window for each axis.

    Args:
        x: (n, channels, *size).
        size: the sides of the window, one for all axes or one for each.
        stride: how far it moves; its size where None.
        padding: "valid" (none), "same", "same-tf" (see shapes.window), a number, or for each axis one of
            these or a pair (before, after); always less than the window, so that every window sees a pixel.
        ceil: let the last window hang over the end instead of forgetting the last pixels.

    Raises:
        ShapeError: a window does not fit, or sees nothing but padding.
    """
    slide = windows(x.ndim - 2, size, size if stride is None else stride, padding, ceil=ceil)
    output_shape(x.shape[2:], slide)  # says where a window does not fit
    for window, side in zip(slide, x.shape[2:], strict=True):
        if max(window.pads(side)) >= window.kernel:
            raise ShapeError(
                f"A window of {window.kernel} would see nothing but padding {window.padding}; "
                f"at most {window.kernel - 1} works."
            )
    return x, slide


def average_front(
    x: Tensor,
    size: Sizes,
    stride: Sizes | None = None,
    padding: Paddings = "valid",
    *,
    ceil: bool = False,
    count_padding: bool = True,
) -> tuple[Tensor, Windows, bool]:
    """As of the other poolings; `count_padding` says whether padded places count in the divisor."""
    return *front(x, size, stride, padding, ceil=ceil), count_padding


@dataclass(frozen=True, slots=True)
class Reduction:
    """How a window becomes one number: of a list of numbers, of a row, and by the library's call."""

    blank: float  # what a padded place holds: it must never win, nor add anything
    of_list: Callable[[list[Tensor]], Tensor]
    of_rows: Callable[[Tensor], Tensor]
    by_call: Callable[[Tensor, Windows, list[int]], Tensor]

    @property
    def forms(self) -> dict[str, Callable[..., Tensor]]:
        """The three forms of this pooling, by name."""
        return {"definition": self.definition, "matrix": self.matrix, "torch": self.call}

    def definition(self, x: Tensor, windows: Windows) -> Tensor:
        """The formula above, number by number."""

        def number(n: int, c: int, *k: int) -> Tensor:
            seen = [w.sees(i, size) for w, i, size in zip(windows, k, x.shape[2:], strict=True)]
            return self.of_list([x[n, c, *at] for at in product(*seen)])

        return fill((*x.shape[:2], *output_shape(x.shape[2:], windows)), number)

    def matrix(self, x: Tensor, windows: Windows) -> Tensor:
        """Each window a row (im2col), then each row one number."""
        rows = unroll(pad(x, windows, self.blank), windows)  # (n, c, *out, *kernel)
        return self.of_rows(rows.flatten(-len(windows)))  # (n, c, *out)

    def call(self, x: Tensor, windows: Windows) -> Tensor:
        """The library's call; what padding it does not know is put on before."""
        padding = own_padding(x, windows)
        if padding is None:
            return self.by_call(pad(x, windows, self.blank), windows, [0] * len(windows))
        return self.by_call(x, windows, padding)


def own_padding(x: Tensor, windows: Windows) -> list[int] | None:
    """The padding as the library's poolings take it, or None where they do not.

    They know equal ends, at most half a window each, and no overhang.
    """
    padding = []
    for window, size in zip(windows, x.shape[2:], strict=True):
        before, after = window.pads(size)
        if before != after or before > window.kernel // 2 or window.overhang(size):
            return None
        padding.append(before)
    return padding


def largest(x: Tensor, windows: Windows, padding: list[int]) -> Tensor:
    """The library's maximum: (n, c, *size) -> (n, c, *out)."""
    pool = {1: F.max_pool1d, 2: F.max_pool2d}[len(windows)]
    y: Tensor = pool(x, [w.kernel for w in windows], [w.stride for w in windows], padding)
    return y


def mean(x: Tensor, windows: Windows, padding: list[int], count_padding: bool = True) -> Tensor:
    """The library's average: (n, c, *size) -> (n, c, *out)."""
    pool = {1: F.avg_pool1d, 2: F.avg_pool2d}[len(windows)]
    return pool(
        x,
        [w.kernel for w in windows],
        [w.stride for w in windows],
        padding,
        count_include_pad=count_padding,
    )


MAX = Reduction(
    blank=-inf,
    of_list=max,
    of_rows=lambda rows: rows.max(dim=-1).values,
    by_call=largest,
)
MIN = Reduction(
    blank=inf,
    of_list=min,
    of_rows=lambda rows: rows.min(dim=-1).values,
    by_call=lambda x, windows, padding: -largest(-x, windows, padding),
)
SUM = Reduction(
    blank=0.0,
    of_list=lambda numbers: reduce(add, numbers),
    of_rows=lambda rows: rows @ rows.new_ones(rows.shape[-1]),
    by_call=lambda x, windows, padding: mean(x, windows, padding) * prod(w.kernel for w in windows),
)


def places(x: Tensor, windows: Windows, count_padding: bool) -> Tensor:
    """What an average is divided by: how many places count under each window, (*out)."""
    counts = x.new_ones(())
    for window, size in zip(windows, x.shape[2:], strict=True):
        under = [len(window.sees(i, size, padding=count_padding)) for i in range(window.out(size))]
        counts = counts[..., None] * x.new_tensor(under)
    return counts


def average_definition(x: Tensor, windows: Windows, count_padding: bool) -> Tensor:
    """The sum of what a window sees, divided by how many places count."""
    return SUM.definition(x, windows) / places(x, windows, count_padding)


def average_matrix(x: Tensor, windows: Windows, count_padding: bool) -> Tensor:
    """Each window a row, times a column of ones, divided by how many places count."""
    return SUM.matrix(x, windows) / places(x, windows, count_padding)


def average_call(x: Tensor, windows: Windows, count_padding: bool) -> Tensor:
    """The library's call; where it does not know the padding, its sum over how many places count."""
    padding = own_padding(x, windows)
    if padding is None:
        return SUM.call(x, windows) / places(x, windows, count_padding)
    return mean(x, windows, padding, count_padding)


CASES = {
    1: (
        Case(((2, 3, 9),), {"size": 2}),
        Case(((1, 2, 7),), {"size": 3, "stride": 2, "padding": ((0, 2),)}),
        Case(((1, 2, 8),), {"size": 3, "stride": 2, "ceil": True}),
        Case(((2, 1, 5),), {"size": 2, "stride": 4}),
    ),
    2: (
        Case(((2, 3, 6, 4),), {"size": 2}),
        Case(((1, 2, 7, 5),), {"size": (3, 2), "stride": (2, 1), "padding": ((2, 1), (0, 1))}),
        Case(((1, 2, 5, 8),), {"size": 3, "stride": 2, "padding": 1, "ceil": True}),
        Case(((2, 1, 4, 7),), {"size": 3, "stride": 2, "padding": "same-tf"}),
        Case(((1, 1, 5, 5),), {"size": 1, "stride": 4}),
    ),
}
GLOBAL_CASES = (Case(((2, 3, 4),)), Case(((1, 2, 5, 3),)), Case(((2, 1, 1, 1),)))

# How a window is written in the formulas.
SEEN = "over t of x[n, c, k * stride + t]"

maxpool1d, maxpool2d = (
    Operation(f"maxpool{axes}d", f"y[n, c, k] = max {SEEN}", front, MAX.forms, CASES[axes], axes=axes)
    for axes in (1, 2)
)
minpool1d, minpool2d = (
    Operation(f"minpool{axes}d", f"y[n, c, k] = min {SEEN}", front, MIN.forms, CASES[axes], axes=axes)
    for axes in (1, 2)
)
sumpool1d, sumpool2d = (
    Operation(f"sumpool{axes}d", f"y[n, c, k] = sum {SEEN}", front, SUM.forms, CASES[axes], axes=axes)
    for axes in (1, 2)
)
avgpool1d, avgpool2d = (
    Operation(
        f"avgpool{axes}d",
        f"y[n, c, k] = (sum {SEEN}) / (how many places t count)",
        average_front,
        {"definition": average_definition, "matrix": average_matrix, "torch": average_call},
        CASES[axes] + tuple(case.but(count_padding=False) for case in CASES[axes]),
        axes=axes,
    )
    for axes in (1, 2)
)


def global_front(x: Tensor) -> tuple[Tensor]:
    """Check a call of global pooling: x is (n, channels, *size), the answer (n, channels).

    Raises:
        ShapeError: there are no axes to pool.
    """
    if x.ndim < 3:
        raise ShapeError(f"Global pooling takes (n, channels, *size); received {tuple(x.shape)}.")
    return (x,)


globalavgpool = Operation(
    "globalavgpool",
    "y[n, c] = (sum over k of x[n, c, k]) / (how many places k there are)",
    global_front,
    {
        "definition": lambda x: fill(x.shape[:2], lambda n, c: reduce(add, x[n, c].flatten()) / x[n, c].numel()),
        "matrix": lambda x: x.flatten(2) @ x.new_ones(x[0, 0].numel()) / x[0, 0].numel(),
        "torch": lambda x: x.flatten(2).mean(-1),
    },
    GLOBAL_CASES,
)
globalmaxpool = Operation(
    "globalmaxpool",
    "y[n, c] = max over k of x[n, c, k]",
    global_front,
    {
        "definition": lambda x: fill(x.shape[:2], lambda n, c: max(x[n, c].flatten())),
        "torch": lambda x: x.flatten(2).max(-1).values,
    },
    GLOBAL_CASES,
    why="a channel is one window, so its row of im2col is the channel itself, and a maximum is not linear",
)

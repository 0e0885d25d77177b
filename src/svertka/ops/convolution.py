"""Convolution: a small grid of weights slides along the input; at each place, products are summed.

    y[n, f, k] = bias[f]  +  sum over c, t of  x[n, c, k * stride + t * dilation] * weight[f, c, t]

One definition for any number of axes: k is a place in the output and t one in the kernel, each with an index
per axis.
- What the lectures and all libraries call convolution does not turn the kernel around (mathematics:
  cross-correlation).
- Padding is zeros, and they take part like any pixel.
- With groups, filter f looks only at the channels of its own group; as many groups as channels is
  "depthwise".

Source: lecture 001; Dumoulin and Visin 2016, arXiv:1603.07285; the matrix form: Chellapilla, Puri and Simard
2006, "High performance convolutional neural networks for document processing".
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError
from svertka.ops.forms import Case, Operation, fill, grid, pad, unroll
from svertka.shapes import Paddings, Sizes, Window, output_shape, windows
from svertka.shapes.counts import channels_seen


def front(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sizes = 1,
    padding: Paddings = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor, tuple[Window, ...], int]:
    """Check a call of convolution, and make a window for each axis.

    Args:
        x: (n, channels, *size).
        weight: (filters, channels / groups, *kernel).
        bias: (filters,); zeros where None.
        stride: how far the window moves, for all axes or for each.
        padding: "valid" (none), "same", "same-tf" (see shapes.window), a number, or for each axis one of
            these or a pair (before, after).
        dilation: the distance between the pixels under the kernel, for all axes or for each.
        groups: how many parts channels and filters are cut into, each part to itself.

    Raises:
        ShapeError: the sizes do not fit together; says which met and what would work.
    """
    axes = x.ndim - 2
    if weight.ndim != x.ndim:
        raise ShapeError(
            f"An input of {x.ndim} axes takes a weight of {x.ndim}, (filters, channels, *kernel); "
            f"received shapes {tuple(x.shape)} and {tuple(weight.shape)}."
        )
    filters, channels = weight.shape[:2]
    if channels_seen(x.shape[1], filters, groups) != channels:
        raise ShapeError(
            f"With {x.shape[1]} channels in {groups} group{'s' * (groups > 1)} a filter looks at "
            f"{x.shape[1] // groups}, and the weight {tuple(weight.shape)} is for {channels}."
        )
    if bias is not None and bias.shape != (filters,):
        raise ShapeError(f"There are {filters} filters, each with one bias; received {tuple(bias.shape)}.")
    slide = windows(axes, tuple(weight.shape[2:]), stride, padding, dilation)
    output_shape(x.shape[2:], slide)  # says where a window does not fit
    return x, weight, weight.new_zeros(filters) if bias is None else bias, slide, groups


def definition(x: Tensor, weight: Tensor, bias: Tensor, windows: tuple[Window, ...], groups: int) -> Tensor:
    """The formula above, number by number."""
    out = output_shape(x.shape[2:], windows)
    x = pad(x, windows)
    filters, channels, *kernel = weight.shape

    def number(n: int, f: int, *k: int) -> Tensor:
        first = f // (filters // groups) * channels  # of the channels that filter f looks at
        total = bias[f]
        for c in range(channels):
            for t in grid(kernel):
                at = [w.stride * i + w.dilation * j for w, i, j in zip(windows, k, t, strict=True)]
                total = total + x[n, first + c, *at] * weight[f, c, *t]
        return total

    return fill((len(x), filters, *out), number)


def matrix(x: Tensor, weight: Tensor, bias: Tensor, windows: tuple[Window, ...], groups: int) -> Tensor:
    """Each window a row, each filter a column: their product has every output number (im2col)."""
    n, filters, out = len(x), len(weight), output_shape(x.shape[2:], windows)
    rows = unroll(pad(x, windows), windows)  # (n, channels, *out, *kernel)
    rows = rows.reshape(n, groups, weight.shape[1], *out, -1)  # (n, g, c/g, *out, taps)
    rows = rows.movedim(2, -2).flatten(-2).flatten(2, -2)  # (n, g, places, c/g * taps)
    columns = weight.reshape(groups, filters // groups, -1).mT  # (g, c/g * taps, f/g)
    y = rows @ columns  # (n, g, places, f/g)
    return y.mT.reshape(n, filters, *out) + bias.reshape(-1, *[1] * len(out))  # (n, filters, *out)


def call(x: Tensor, weight: Tensor, bias: Tensor, windows: tuple[Window, ...], groups: int) -> Tensor:
    """The library's call; it knows no padding of two different ends, which is put on before."""
    pads = [w.pads(size) for w, size in zip(windows, x.shape[2:], strict=True)]
    even = all(before == after for before, after in pads)
    conv = {1: F.conv1d, 2: F.conv2d}[len(windows)]
    return conv(
        x if even else pad(x, windows),
        weight,
        bias,
        stride=[w.stride for w in windows],
        padding=[before for before, _ in pads] if even else 0,
        dilation=[w.dilation for w in windows],
        groups=groups,
    )


CASES = {
    1: (
        Case(((1, 1, 5), (1, 1, 3), None)),
        Case(((2, 2, 9), (3, 2, 4), (3,)), {"stride": 3, "padding": "same"}),
        Case(((2, 4, 7), (6, 2, 3), (6,)), {"padding": ((0, 3),), "dilation": 2, "groups": 2}),
        Case(((1, 3, 8), (3, 1, 2), None), {"stride": 5, "padding": "same-tf", "groups": 3}),
    ),
    2: (
        Case(((1, 1, 5, 5), (1, 1, 3, 3), None)),
        Case(((2, 3, 5, 4), (2, 3, 3, 2), (2,)), {"stride": (2, 3), "padding": "same"}),
        Case(((1, 4, 5, 6), (6, 2, 2, 3), (6,)), {"padding": ((0, 2), 1), "dilation": (3, 2), "groups": 2}),
        Case(((2, 3, 4, 6), (3, 1, 3, 3), (3,)), {"stride": 2, "padding": "same-tf", "groups": 3}),
        Case(((2, 5, 2, 3), (3, 5, 1, 1), (3,)), {"padding": 1}),
    ),
}


conv1d, conv2d = (
    Operation(
        f"conv{axes}d",
        "y[n, f, k] = bias[f] + sum over c, t of x[n, c, k * stride + t * dilation] * weight[f, c, t]",
        front,
        {"definition": definition, "matrix": matrix, "torch": call},
        CASES[axes],
        axes=axes,
    )
    for axes in (1, 2)
)

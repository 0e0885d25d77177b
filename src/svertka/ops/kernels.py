"""The classic kernels: filters that people worked out before networks learned their own.

Each is a row of the table KERNELS: whole numbers and the number that divides them, as they are published.
They are meant for `conv2d`, which does not turn them around: "sobel-vertical" is positive where it gets
brighter to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp

import torch
from torch import Tensor

from svertka.errors import ShapeError, UnknownName
from svertka.ops.convolution import conv2d
from svertka.shapes import Paddings


@dataclass(frozen=True, slots=True)
class Kernel:
    """A published kernel: its name, what it finds or does, its numbers, and where it comes from."""

    name: str
    does: str
    rows: tuple[tuple[int, ...], ...]
    divisor: int
    source: str

    def tensor(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The weights, (height, width)."""
        return torch.tensor(self.rows, dtype=dtype) / self.divisor


LECTURE_001 = "lecture 001"
LECTURE_003 = "lecture 003, after A. Deshpande 2016, A Beginner's Guide To Understanding CNNs"
PREWITT = "J. Prewitt 1970, Object enhancement and extraction"
SOBEL = "I. Sobel and G. Feldman 1968, A 3x3 isotropic gradient operator for image processing"
SCHARR = "H. Scharr 2000, Optimale Operatoren in der Digitalen Bildverarbeitung, Heidelberg"
GONZALEZ = "R. Gonzalez and R. Woods, Digital Image Processing, chapter 3"

KERNELS: dict[str, Kernel] = {
    row.name: row
    for row in (
        Kernel("identity", "leaves the picture as it is", ((0, 0, 0), (0, 1, 0), (0, 0, 0)), 1, "by definition"),
        Kernel("cross", "the lecture's example", ((1, 0, 1), (0, 1, 0), (1, 0, 1)), 1, LECTURE_001),
        Kernel("prewitt-horizontal", "horizontal edges", ((-1, -1, -1), (0, 0, 0), (1, 1, 1)), 1, PREWITT),
        Kernel("prewitt-vertical", "vertical edges", ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), 1, PREWITT),
        Kernel("sobel-horizontal", "horizontal edges", ((-1, -2, -1), (0, 0, 0), (1, 2, 1)), 1, SOBEL),
        Kernel("sobel-vertical", "vertical edges", ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), 1, SOBEL),
        Kernel("scharr-horizontal", "horizontal edges", ((-3, -10, -3), (0, 0, 0), (3, 10, 3)), 1, SCHARR),
        Kernel("scharr-vertical", "vertical edges", ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)), 1, SCHARR),
        Kernel("laplace", "edges of any direction", ((0, 1, 0), (1, -4, 1), (0, 1, 0)), 1, GONZALEZ),
        Kernel("laplace-diagonal", "the same, corners too", ((1, 1, 1), (1, -8, 1), (1, 1, 1)), 1, GONZALEZ),
        Kernel("sharpen", "identity - laplace", ((0, -1, 0), (-1, 5, -1), (0, -1, 0)), 1, GONZALEZ),
        Kernel("box", "blur: the mean of 9", ((1, 1, 1), (1, 1, 1), (1, 1, 1)), 9, GONZALEZ),
        Kernel("gauss", "soft blur, binomial", ((1, 2, 1), (2, 4, 2), (1, 2, 1)), 16, GONZALEZ),
        Kernel(
            "curve",
            "a curve that rises to the right",
            (
                (0, 0, 0, 0, 0, 30, 0),
                (0, 0, 0, 0, 30, 0, 0),
                (0, 0, 0, 30, 0, 0, 0),
                (0, 0, 0, 30, 0, 0, 0),
                (0, 0, 0, 30, 0, 0, 0),
                (0, 0, 0, 30, 0, 0, 0),
                (0, 0, 0, 0, 0, 0, 0),
            ),
            1,
            LECTURE_003,
        ),
    )
}


def kernel(name: str) -> Tensor:
    """The weights of a published kernel, (height, width), float32.

    >>> kernel("sobel-vertical")
    tensor([[-1.,  0.,  1.],
            [-2.,  0.,  2.],
            [-1.,  0.,  1.]])

    Raises:
        UnknownName: there is no kernel of that name; the message offers what is near.
    """
    if name not in KERNELS:
        raise UnknownName("kernel", name, KERNELS, where=f"There are {', '.join(KERNELS)}.")
    return KERNELS[name].tensor()


def box(size: int) -> Tensor:
    """The blur that takes the mean of size x size pixels: (size, size), float32.

    Raises:
        ShapeError: the size is below 1.
    """
    if size < 1:
        raise ShapeError(f"A blur has a side of 1 or more; received {size}.")
    return torch.full((size, size), 1 / size**2)


def gauss(sigma: float, size: int | None = None) -> Tensor:
    """The bell curve of width `sigma`, (size, size), float32, summing to 1; 3 sigma either way where None.

    >>> gauss(1.0, size=3)
    tensor([[0.0751, 0.1238, 0.0751],
            [0.1238, 0.2042, 0.1238],
            [0.0751, 0.1238, 0.0751]])

    Raises:
        ShapeError: the width is not above 0, or the size below 1.
    """
    size = 2 * ceil(3 * sigma) + 1 if size is None else size
    if sigma <= 0 or size < 1:
        raise ShapeError(f"A bell curve has sigma above 0 and a side of 1 or more; received {sigma} and {size}.")
    middle = (size - 1) / 2
    line = torch.tensor([exp(-((i - middle) ** 2) / (2 * sigma**2)) for i in range(size)])
    bell = line[:, None] * line
    return bell / bell.sum()


def filtered(x: Tensor, kernel: Tensor, padding: Paddings = "same") -> Tensor:
    """Every channel through the same kernel (height, width), for itself: (n, c, h, w) -> (n, c, h', w').

    >>> step = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(3, 4)[None, None]         # dark, then bright
    >>> filtered(step, KERNELS["sobel-vertical"].tensor(), padding="valid")
    tensor([[[[4., 4.]]]])
    """
    channels = x.shape[1] if x.ndim > 1 else 1
    weight = kernel.to(x).expand(channels, 1, *kernel.shape)
    return conv2d(x, weight, padding=padding, groups=channels)

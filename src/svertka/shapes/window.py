"""A window that slides along one axis: the heart of convolution and of pooling.

    W' = (W - K + 2P) / S + 1        lecture 001, where the division has to be rounded down

- Two roundings. Floor forgets the last pixels where no whole window fits. Ceil lets the last window hang over
  the end, unless it would start behind the input, in the padding (PyTorch's pooling with `ceil_mode=True`).
- Two meanings of `same`, with one output size, ceil(W / S). They differ only where the stride is above 1:
  `same` pads K - 1 in all, as evenly as it goes, whatever the size (PyTorch; for odd K that is K // 2);
  `same-tf` pads only what the last window needs, so the windows begin later (TensorFlow, Keras).
  Where the padding cannot be halved, both put the extra pixel at the end.

Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from svertka.errors import ShapeError, UnknownName

PADDINGS = ("valid", "same", "same-tf")

# Of one axis: a word of PADDINGS, one number for both ends, or (before, after).
Padding = str | int | tuple[int, int]
# Of several axes: one for all, or one each.
Paddings = str | int | Sequence[Padding]
Sizes = int | Sequence[int]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """`kernel` pixels, `dilation` apart, moved by `stride` along an axis that is lengthened by `padding`.

    >>> Window(kernel=3, stride=2, padding=1).out(224)
    112
    >>> Window(kernel=3, dilation=4).reach
    9

    Raises:
        ShapeError: a size is below 1, or a padding below 0.
        UnknownName: there is no padding of that name.
    """

    kernel: int
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1
    ceil: bool = False

    def __post_init__(self) -> None:
        for what, value in (("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)):
            if not (isinstance(value, int) and value >= 1):
                raise ShapeError(f"The {what} is a whole number from 1 on; received {value!r}.")
        if isinstance(self.padding, str):
            if self.padding not in PADDINGS:
                raise UnknownName("padding", self.padding, PADDINGS, where="A number or a pair works too.")
            if self.ceil and self.padding != "valid":
                raise ShapeError(f"Rounding up goes with padding in numbers, not with {self.padding!r}.")
            return
        ends = self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)
        if len(ends) != 2 or not all(isinstance(end, int) and end >= 0 for end in ends):
            raise ShapeError(
                f"The padding of an axis is a word, a whole number from 0 on, or a pair of them, "
                f"(before, after); received {self.padding!r}."
            )

    @property
    def reach(self) -> int:
        """The pixels from the window's first to its last, both included."""
        return self.dilation * (self.kernel - 1) + 1

    def pads(self, size: int) -> tuple[int, int]:
        """The padding (before, after) of an axis of `size` pixels.

        >>> Window(3, stride=2, padding="same").pads(224), Window(3, stride=2, padding="same-tf").pads(224)
        ((1, 1), (0, 1))
        """
        if isinstance(self.padding, tuple):
            return self.padding
        if isinstance(self.padding, int):
            return self.padding, self.padding
        if self.padding == "valid":
            return 0, 0
        total = self.reach - 1
        if self.padding == "same-tf":
            last = (size - 1) // self.stride * self.stride  # where the last window starts
            total = max(0, last + self.reach - size)
        return total // 2, total - total // 2

    def out(self, size: int) -> int:
        """The positions that the window takes on an axis of `size` pixels: the size of the output.

        >>> Window(5).out(32), Window(2, stride=2).out(7), Window(2, stride=2, ceil=True).out(7)
        (28, 3, 4)

        Raises:
            ShapeError: not even one position fits; says the least size that works.
        """
        places = self._places(size)
        if places < 1:
            before, after = self.pads(size)
            padded = f" with padding {before} + {after}" if before or after else ""
            spread = f" (kernel {self.kernel}, dilation {self.dilation})" if self.dilation > 1 else ""
            raise ShapeError(
                f"A window of {self.reach}{spread} does not fit into {size}{padded}; "
                f"the least size that works is {self.least()}."
            )
        return places

    def _places(self, size: int) -> int:
        """The formula itself; zero or less where nothing fits. It never falls when `size` grows."""
        if size < 1:
            return 0
        before, after = self.pads(size)
        room = size + before + after - self.reach
        if not self.ceil:
            return room // self.stride + 1
        places = -(-room // self.stride) + 1
        return places - 1 if (places - 1) * self.stride >= size + before else places

    def least(self, out: int = 1) -> int:
        """The least input size that gives at least `out` positions.

        >>> Window(kernel=3, dilation=2).least(), Window(kernel=2, stride=2).least(out=7)
        (5, 14)
        """
        enough = (out - 1) * self.stride + self.reach  # without any padding
        return 1 + bisect_left(range(1, enough + 1), out, key=self._places)

    def inputs(self, out: int) -> range:
        """Every input size that gives exactly `out` positions: the inverse of `out`.

        >>> Window(kernel=3, stride=2, padding=1).inputs(112)
        range(223, 225)
        """
        return range(self.least(out), self.least(out + 1))

    def overhang(self, size: int) -> int:
        """The pixels by which the last window hangs over the padded end; 0 unless `ceil` is set.

        >>> Window(kernel=3, stride=2, ceil=True).overhang(6)
        1
        """
        before, after = self.pads(size)
        return max(0, (self.out(size) - 1) * self.stride + self.reach - size - before - after)

    def sees(self, position: int, size: int, *, padding: bool = False) -> range:
        """The pixels under the window at `position` (0 is the first) on an axis of `size` pixels.

        With `padding` the padded places count too: those before the axis are negative, those behind it begin
        at `size`. What hangs over the padded end (see `overhang`) is never counted.

        >>> window = Window(3, padding=1)
        >>> [list(window.sees(i, size=4)) for i in range(4)]
        [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]
        >>> list(window.sees(0, size=4, padding=True))
        [-1, 0, 1]
        """
        before, after = self.pads(size)
        low, high = (-before, size + after) if padding else (0, size)
        first = position * self.stride - before
        if first < low:
            # the first pixel of its comb from `low` on
            first += -((first - low) // self.dilation) * self.dilation
        end = min(position * self.stride - before + self.reach, high)
        return range(first, max(first, end), self.dilation)


def output_size(
    size: int, kernel: int, stride: int = 1, padding: Padding = 0, dilation: int = 1, *, ceil: bool = False
) -> int:
    """The size of the output along one axis, as a function: `Window(...).out(size)`.

    >>> output_size(32, kernel=3), output_size(224, 7, stride=2, padding=3), output_size(28, 2, stride=2)
    (30, 112, 14)
    """
    return Window(kernel, stride, padding, dilation, ceil).out(size)


def output_shape(sizes: Sequence[int], windows: Sequence[Window]) -> tuple[int, ...]:
    """The output size along every axis.

    >>> output_shape((32, 20), windows(2, kernel=(5, 3), padding="valid"))
    (28, 18)

    Raises:
        ShapeError: a window does not fit; names the axis.
    """
    return tuple(
        _out(size, window, name) for size, window, name in zip(sizes, windows, axis_names(len(windows)), strict=True)
    )


def _out(size: int, window: Window, axis: str) -> int:
    try:
        return window.out(size)
    except ShapeError as why:
        raise ShapeError(f"Along the {axis}: {why}") from why


def axis_names(axes: int) -> tuple[str, ...]:
    """What people call the axes: length; height and width; depth, height and width."""
    return ("length",) if axes == 1 else ("depth", "height", "width")[-axes:]


def chain(size: int, windows: Iterable[Window]) -> tuple[int, ...]:
    """The size before the first window and behind each one of a chain, along one axis.

    >>> conv, pool = Window(3, padding=1), Window(2, stride=2)
    >>> chain(224, [conv, conv, pool, conv, conv, pool])
    (224, 224, 224, 112, 112, 112, 56)
    """
    sizes = [size]
    for window in windows:
        sizes.append(window.out(sizes[-1]))
    return tuple(sizes)


def per_axis(value: T | Sequence[T], axes: int, what: str) -> tuple[T, ...]:
    """One value for all axes, or one for each, as one for each.

    >>> per_axis(2, 2, "stride"), per_axis((2, 1), 2, "stride")
    ((2, 2), (2, 1))
    >>> per_axis((2, 1, 1), 2, "stride")
    Traceback (most recent call last):
    svertka.errors.ShapeError: The stride is one for all axes or one for each of 2; received (2, 1, 1).
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,) * axes  # a word is a sequence of letters, but one value
    if len(value) != axes:
        hint = " (a pair for one axis is written ((before, after),))" if (axes, what) == (1, "padding") else ""
        many = f"one for all axes or one for each of {axes}" if axes > 1 else "one number"
        raise ShapeError(f"The {what} is {many}{hint}; received {tuple(value)!r}.")
    return tuple(value)


def windows(
    axes: int,
    kernel: Sizes,
    stride: Sizes = 1,
    padding: Paddings = 0,
    dilation: Sizes = 1,
    *,
    ceil: bool = False,
) -> tuple[Window, ...]:
    """One window for each of `axes` axes; every argument is one for all or one for each.

    >>> [w.pads(8) for w in windows(2, kernel=(3, 5), padding=((0, 1), 2))]
    [(0, 1), (2, 2)]
    """
    kernels, strides = per_axis(kernel, axes, "kernel"), per_axis(stride, axes, "stride")
    paddings: tuple[Padding, ...] = per_axis(padding, axes, "padding")
    dilations = per_axis(dilation, axes, "dilation")
    each = zip(kernels, strides, paddings, dilations, strict=True)
    return tuple(Window(k, s, p, d, ceil) for k, s, p, d in each)

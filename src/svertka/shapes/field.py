"""The receptive field: which pixels of the input one position of the output sees.

Along one axis it is three whole numbers, and they compose: a chain of layers has one field, as a layer has.
Fields form a monoid: `Field()` sees just itself, and a chain may be put together from either end. Parallel
branches (a residual, an Inception block) are joined by `|`.

    size + (size' - 1) * jump,   jump * jump',   start + start' * jump      (the primes: the layer behind)

Source: Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks", Distill,
doi:10.23915/distill.00021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from svertka.errors import ShapeError
from svertka.shapes.window import Window, chain


@dataclass(frozen=True, slots=True)
class Field:
    """Position i sees `size` pixels from `start + i * jump` on; a negative start reaches into the padding.

    >>> two_3x3 = Field.of(Window(3)).then(Field.of(Window(3)))
    >>> two_3x3 == Field.of(Window(5))               # why VGG needs no 5x5
    True
    >>> Field.of(Window(7, stride=2, padding=3)).then(Field.of(Window(3, stride=2, padding=1)))
    Field(size=11, jump=4, start=-5)
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    @classmethod
    def of(cls, window: Window, size: int | None = None) -> Field:
        """The field of one window; the input `size` matters only to the padding `same-tf`.

        Raises:
            ShapeError: the padding is `same-tf` and no size was given.
        """
        if window.padding == "same-tf" and size is None:
            raise ShapeError(
                "Where a window with padding 'same-tf' begins depends on the input size, and none was given."
            )
        before, _ = window.pads(size or 1)
        return cls(window.reach, window.stride, -before)

    def then(self, behind: Field) -> Field:
        """The field of this layer and the one behind it."""
        return Field(
            size=self.size + (behind.size - 1) * self.jump,
            jump=self.jump * behind.jump,
            start=self.start + behind.start * self.jump,
        )

    def __or__(self, other: Field) -> Field:
        """The field of two branches whose outputs are added or stacked: all that either sees.

        >>> conv = Field.of(Window(3, padding=1))
        >>> Field() | conv.then(conv)           # a residual block
        Field(size=5, jump=1, start=-2)

        Raises:
            ShapeError: the branches move at different speeds, so their outputs cannot lie on each other.
        """
        if self.jump != other.jump:
            raise ShapeError(f"Branches with strides {self.jump} and {other.jump} cannot be joined; make them equal.")
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(end - start, self.jump, start)

    def sees(self, position: int, size: int | None = None) -> range:
        """The pixels from the first to the last that `position` sees; with `size`, those that exist.

        >>> field = Field(size=11, jump=4, start=-5)
        >>> field.sees(0), field.sees(0, size=224), field.sees(10, size=224)
        (range(-5, 6), range(0, 6), range(35, 46))
        """
        first = self.start + position * self.jump
        if size is None:
            return range(first, first + self.size)
        low = min(max(first, 0), size)
        return range(low, max(low, min(first + self.size, size)))

    def seen_by(self, pixel: int, out: int) -> range:
        """The way back: which of `out` positions have `pixel` inside their field.

        >>> Field.of(Window(3, padding=1)).seen_by(0, out=5), Field.of(Window(2, stride=2)).seen_by(5, out=4)
        (range(0, 2), range(2, 3))
        """
        first = -(-(pixel - self.start - self.size + 1) // self.jump)
        last = (pixel - self.start) // self.jump
        low = min(max(first, 0), out)
        return range(low, max(low, min(last + 1, out)))

    def center(self, position: int) -> float:
        """The middle of what `position` sees, in pixels (half a pixel where the size is even)."""
        return self.start + position * self.jump + (self.size - 1) / 2


def receptive_field(windows: Iterable[Window], size: int | None = None) -> Field:
    """The field of a chain of windows along one axis; the input `size` matters only to the padding `same-tf`.

    >>> conv, pool = Window(3, padding=1), Window(2, stride=2)
    >>> vgg16 = [conv, conv, pool, conv, conv, pool] + [conv, conv, conv, pool] * 3
    >>> receptive_field(vgg16)
    Field(size=212, jump=32, start=-90)
    """
    field = Field()
    for window in windows:
        field = field.then(Field.of(window, size))
        size = window.out(size) if size is not None else None
    return field


def trace(windows: Sequence[Window], size: int, position: int) -> tuple[tuple[int, ...], ...]:
    """Every pixel that takes part in one output number, layer by layer, from the input to the output.

    Unlike `Field.sees` it is exact: a dilated window leaves pixels out, and it looks over the gaps.

    >>> trace([Window(3, dilation=2), Window(2)], size=9, position=1)
    ((1, 2, 3, 4, 5, 6), (1, 2), (1,))

    Raises:
        ShapeError: a window does not fit, or the output has no such position.
    """
    sizes = chain(size, windows)
    if not 0 <= position < sizes[-1]:
        raise ShapeError(f"The output has the positions 0 to {sizes[-1] - 1}; received {position}.")
    layers: list[tuple[int, ...]] = [(position,)]
    for window, before in zip(reversed(windows), reversed(sizes[:-1]), strict=True):
        layers.append(tuple(sorted({pixel for place in layers[-1] for pixel in window.sees(place, before)})))
    return tuple(reversed(layers))

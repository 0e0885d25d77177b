"""What a layer costs: numbers to learn, multiply-adds, memory. One multiply-add is one product and its sum.

Counts are per picture; a batch of n takes n times the multiply-adds and the memory, and the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from svertka.errors import ShapeError


class Parameters(NamedTuple):
    """The numbers that a layer learns."""

    weights: int
    biases: int

    @property
    def total(self) -> int:
        """Weights and biases together."""
        return self.weights + self.biases


def conv_parameters(
    channels: int, filters: int, kernel: Sequence[int], *, groups: int = 1, bias: bool = True
) -> Parameters:
    """Of a convolution: every filter has one kernel for each channel of its group, and one bias.

    >>> conv_parameters(3, 64, (3, 3))                       # VGG's first layer
    Parameters(weights=1728, biases=64)
    >>> conv_parameters(32, 32, (3, 3), groups=32).weights   # depthwise
    288

    Raises:
        ShapeError: the groups do not divide the channels and the filters.
    """
    return Parameters(filters * channels_seen(channels, filters, groups) * prod(kernel), filters if bias else 0)


def linear_parameters(inputs: int, outputs: int, *, bias: bool = True) -> Parameters:
    """Of a fully connected layer: every output has a weight for each input, and one bias.

    >>> linear_parameters(7 * 7 * 512, 4096).weights
    102760448
    """
    return Parameters(inputs * outputs, outputs if bias else 0)


def norm_parameters(channels: int) -> Parameters:
    """Of a batch norm: a scale and a shift for each channel (its running statistics are not learned)."""
    return Parameters(channels, channels)


def conv_macs(channels: int, filters: int, kernel: Sequence[int], out: Sequence[int], *, groups: int = 1) -> int:
    """Multiply-adds of a convolution: for each output number, its kernel times the channels of its group.

    >>> conv_macs(3, 64, (3, 3), out=(224, 224))
    86704128
    """
    return prod(out) * filters * channels_seen(channels, filters, groups) * prod(kernel)


def linear_macs(inputs: int, outputs: int) -> int:
    """Multiply-adds of a fully connected layer: one for each weight."""
    return inputs * outputs


def channels_seen(channels: int, filters: int, groups: int) -> int:
    """How many channels one filter looks at.

    Raises:
        ShapeError: the groups do not divide the channels and the filters.
    """
    if groups < 1 or channels % groups or filters % groups:
        common = [g for g in range(1, min(channels, filters) + 1) if not channels % g and not filters % g]
        works = ", ".join(map(str, common))
        raise ShapeError(
            f"{groups} groups do not divide {channels} channels and {filters} filters evenly; what works is {works}."
        )
    return channels // groups


def numbers(shape: Sequence[int]) -> int:
    """How many numbers a tensor of that shape holds.

    >>> numbers((3, 224, 224))
    150528
    """
    return prod(shape)


def memory(shape: Sequence[int], *, bytes_each: int = 4) -> int:
    """The bytes of a tensor of that shape; a number takes 4 bytes in float32, 2 in half precision.

    >>> memory((64, 224, 224))
    12845056
    """
    return prod(shape) * bytes_each


def short(count: int) -> str:
    """A count as people say it, in three digits and thousands: K, M, G, T.

    >>> short(512), short(150_528), short(3_211_264), short(138_357_544), short(15_470_264_320)
    ('512', '151K', '3.21M', '138M', '15.5G')
    """
    value, unit = float(count), ""
    for larger in "KMGT":
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:#.3g}".rstrip(".") + unit if unit else str(count)

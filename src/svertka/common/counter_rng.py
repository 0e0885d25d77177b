"""Random numbers that depend on nothing but (seed, epoch, sample, stream).

A counter-based generator: each number is a hash of its coordinates (the finaliser of SplitMix64: Steele, Lea and Flood
2014, doi:10.1145/2660193.2660195). Batch size, order, worker count and resuming cannot change what a sample gets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from svertka.common.lazy import LazyModule
from svertka.common.splitmix import FIRST, GOLDEN, MASK, SECOND, scramble, scramble_array

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

Draw: TypeAlias = "Callable[[int], Tensor]"  # a stream of random numbers by its number -> one in [0, 1) for each sample


class Stream(IntEnum):
    """What a random number is for: no two purposes share one. The numbers are for ever: runs are repeated by them."""

    UNTOUCHED, MIRROR, DOWN, RIGHT, TURN, ZOOM, HOLE, HOLE_DOWN, HOLE_RIGHT, UPEND = range(10)
    ASPECT, LEAN, LEAN_AXIS, CROP_AREA, CROP_FORM, CROP_DOWN, CROP_RIGHT = range(10, 17)
    BRIGHTNESS, CONTRAST, SATURATION, HUE, BLUR, SHARPEN, BLUR_OR_SHARPEN = range(20, 27)
    NOISE, NOISE_PLACE, NOISE_SIGN = range(27, 30)
    PARTNER, MIX_SHARE, MIX_KIND, MIX_DOWN, MIX_RIGHT = range(30, 35)
    TRIVIAL, TRIVIAL_STRENGTH, TRIVIAL_SIGN = range(40, 43)


def stream(name: str) -> int:
    """A stream by its name, for what came after `Stream`: no table of numbers is to be kept.

    >>> stream("jitter") > max(Stream)
    True
    """
    return 1 << 32 | zlib.crc32(name.encode())


def mix(*coordinates: int) -> int:
    """One 63-bit number from any whole numbers; the seed of everything that is drawn once an epoch."""
    h = 0
    for c in coordinates:
        h = scramble(h ^ (c & MASK))
    return h >> 1


def uniform(seed: int, epoch: int, samples: Tensor, stream: int) -> Tensor:
    """One number in [0, 1) for each sample: (n,) int64 indices -> (n,) float32, on the samples' device."""
    base = mix(seed, epoch, stream) << 1
    return _hash_here(samples, base) if samples.device.type == "cpu" else hash_there(samples, base)


def _hash_here(samples: Tensor, base: int) -> Tensor:
    h = scramble_array(
        samples.contiguous().numpy().view(np.uint64) ^ np.uint64(base)
    )  # numpy starts quicker than torch
    return torch.from_numpy((h >> np.uint64(40)).astype(np.float32) * np.float32(1.0 / (1 << 24)))


def hash_there(samples: Tensor, base: int) -> Tensor:
    """`uniform` on any device, for the hash of seed, epoch and stream: (n,) int64 -> (n,) float32."""
    h = (samples ^ _signed(base)) + _signed(GOLDEN)  # int64 wraps around as the hash wants
    h = (h ^ _shift(h, 30)) * _signed(FIRST)
    h = (h ^ _shift(h, 27)) * _signed(SECOND)
    h = h ^ _shift(h, 31)
    return _shift(h, 40).to(torch.float32) * (1.0 / (1 << 24))


def _shift(h: Tensor, by: int) -> Tensor:
    return (h >> by) & ((1 << (64 - by)) - 1)  # torch shifts arithmetically: the copies of the sign are cut off


def _signed(h: int) -> int:
    h &= MASK
    return h - (1 << 64) if h >> 63 else h

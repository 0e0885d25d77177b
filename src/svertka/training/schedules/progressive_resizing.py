"""Progressive resizing: early steps see smaller pictures, which cost less and teach what is coarse as well.

A pure function of how far training is, as the rates are, so that resuming needs no state. The sizes come in few steps,
since each is another shape to whoever compiles or tunes kernels. (Howard 2018, fast.ai's entry to DAWNBench; Tan and
Le 2021, arXiv:2104.00298, section 4.)
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor

SIZES = (0.6, 0.75)  # of the side, each for an equal part of the share of steps that see smaller pictures
FIXED = 0.2  # of a step: what costs the same at any size, such as moving the weights (0.17 to 0.27 measured)
GRID = 4  # sides are multiples of it: what strides and pooling divide without a rest


def size_at(grow: float, step: int, steps: int) -> float:
    """The share of the side that pictures have at one step, where `grow` of all steps see smaller ones.

    >>> [size_at(0.5, step, 8) for step in range(6)]
    [0.6, 0.6, 0.75, 0.75, 1.0, 1.0]
    """
    stage = step * len(SIZES) / (grow * steps) if grow else len(SIZES)
    return SIZES[int(stage)] if stage < len(SIZES) else 1.0


def on_grid(side: int, size: float) -> int:
    """That share of a side, in pixels.

    >>> on_grid(28, 0.75), on_grid(32, 0.6), on_grid(30, 1.0)
    (20, 20, 30)
    """
    return side if size == 1.0 else min(side, max(GRID, GRID * round(size * side / GRID)))


def resized(x: Tensor, size: float) -> Tensor:
    """Pictures (n, c, h, w) at that share of both sides, in the layout they came in."""
    sides = on_grid(x.shape[2], size), on_grid(x.shape[3], size)
    if sides == tuple(x.shape[2:]):
        return x
    return F.interpolate(x, size=sides, mode="bilinear", antialias=True)  # (n, c, *sides)


def work(grow: float, done: int, passes: int) -> float:
    """What is left after `done` of `passes` passes, in passes over whole pictures.

    >>> work(0.0, 1, 3), round(work(0.5, 0, 8), 3), work(0.5, 4, 8)
    (2.0, 6.276, 4.0)
    """
    edges = [grow * stage / len(SIZES) for stage in range(len(SIZES) + 1)] + [1.0]
    start = done / passes
    spans = (max(0.0, b - max(a, start)) for a, b in itertools.pairwise(edges))
    return passes * sum(span * cost(size) for span, size in zip(spans, (*SIZES, 1.0), strict=True))


def cost(size: float) -> float:
    """Of a step with pictures of that share of their side, beside one with whole pictures: most goes by the pixels.

    >>> round(cost(0.5), 3), cost(1.0)
    (0.4, 1.0)
    """
    return FIXED + (1 - FIXED) * size**2

"""Methods that hide parts of the picture and look at the score; the network is a black box to them.

Hidden is filled with 0, which after normalization is the mean color. Masks are made a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.explanation.layers import forward
from svertka.explanation.request import Ask

PATCHES = 7  # patch sides that make up the shorter side of the picture
GRID = 7  # cells along each axis of a random mask, as in the paper of RISE
KEPT = 0.5  # the share of cells that a random mask keeps
MASKS = 1000


@torch.inference_mode()
def occlusion(ask: Ask) -> Tensor:
    """How far the log-probability falls where a patch hides the picture; Zeiler and Fergus 2014, arXiv:1311.2901.

    The patch is a seventh of the shorter side and moves by half of itself; a pixel has the mean fall of the patches
    that hid it. Log-probability, where they have probability: a score near 1 hides a large fall.
    """
    size = ask.x.shape[2:]
    side = max(1, round(min(size) / PATCHES))
    boxes = list(product(*(_spans(length, side) for length in size)))
    found = []
    for row, x in enumerate(ask.x):
        total, times = torch.zeros(size), torch.zeros(size)
        before = _log_probability(ask, x[None], row)
        for first in range(0, len(boxes), ask.batch):
            some = boxes[first : first + ask.batch]
            hidden = x.expand(len(some), *x.shape).clone(memory_format=torch.preserve_format)
            for picture, box in zip(hidden, some, strict=True):
                picture[(slice(None), *box)] = 0
            falls = (before - _log_probability(ask, hidden, row)).tolist()
            for fall, box in zip(falls, some, strict=True):
                total[box] += fall
                times[box] += 1
        found.append((total / times).relu())
    return torch.stack(found)


@torch.inference_mode()
def rise(ask: Ask) -> Tensor:
    """Random masks, averaged by the probability that each leaves; Petsiuk et al. 2018, arXiv:1806.07421, equation 5.

    `samples` is the number of masks; the same serve every picture. The mean is over the masks as they were drawn, not
    as they are expected (equation 6), which takes out much of the noise. What every place has says nothing of where,
    so the least of all is taken away.
    """
    count, size = ask.samples or MASKS, ask.x.shape[2:]
    total, weight = torch.zeros(len(ask.x), *size, device=ask.x.device), torch.zeros(size, device=ask.x.device)
    for masks in random_masks(count, size, ask.generator(), ask.batch):
        masks = masks.to(ask.x)  # (b, *size)
        weight += masks.sum(0)
        for row, x in enumerate(ask.x):
            shares = _log_probability(ask, x * masks[:, None], row).exp()  # (b,)
            total[row] += torch.einsum("b,b...->...", shares, masks.float())
    mean = total / weight.clamp(min=1e-6)
    return mean - mean.flatten(1).amin(1).reshape(-1, *[1] * len(size))


def random_masks(
    count: int, size: torch.Size | tuple[int, ...], generator: torch.Generator, batch: int
) -> Iterator[Tensor]:
    """Coarse random grids made smooth and shifted at random: (b, *size) in [0, 1], `count` in all.

    They are drawn before the first is made, so that `batch` changes none.
    """
    axes = len(size)
    cells = [-(-length // GRID) for length in size]  # pixels in a cell, rounded up
    mode = "bilinear" if axes == 2 else "linear"
    coarse = (torch.rand(count, 1, *[GRID + 1] * axes, generator=generator) < KEPT).float()
    shifts = torch.stack([torch.randint(0, cell, (count,), generator=generator) for cell in cells], 1)
    for some, shift in zip(coarse.split(batch), shifts.split(batch), strict=True):
        fine = F.interpolate(some, [(GRID + 1) * cell for cell in cells], mode=mode, align_corners=False)[:, 0]
        masks = torch.empty(len(some), *size)
        for mask, whole, starts in zip(masks, fine, shift.tolist(), strict=True):
            mask.copy_(whole[tuple(slice(s, s + length) for s, length in zip(starts, size, strict=True))])
        yield masks.clamp_(0, 1)


def _spans(length: int, side: int) -> list[slice]:
    """Where a patch lies along one axis; the last one ends with the picture."""
    side = min(side, length)
    starts = {*range(0, length - side + 1, max(1, side // 2)), length - side}
    return [slice(start, start + side) for start in sorted(starts)]


def _log_probability(ask: Ask, x: Tensor, row: int) -> Tensor:
    return torch.log_softmax(forward(ask.net, x).float(), 1)[:, ask.target[row]]

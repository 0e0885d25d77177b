"""Methods that hide parts of the picture and look at the score; the network is a black box to them.

Hidden is filled with 0, which after normalisation is the mean colour. Masks are made a batch at a time.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.explanation.ask import Ask
from svertka.explanation.places import forward

PATCHES = 7  # patch sides that make up the shorter side of the picture
GRID = 7  # cells along each axis of a random mask, as in the paper of RISE
KEPT = 0.5  # the share of cells that a random mask keeps
MASKS = 1000


@torch.inference_mode()
def occlusion(ask: Ask) -> Tensor:
    """How much the log-probability falls where a patch hides the picture; after Zeiler and Fergus 2014, arXiv:1311.2901.

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
    """Random masks, averaged by the probability that each leaves; Petsiuk et al. 2018, arXiv:1806.07421, equation 6.

    `samples` is the number of masks. The same masks serve every picture.
    """
    generator, count, size = ask.generator(), ask.samples or MASKS, ask.x.shape[2:]
    total = torch.zeros(len(ask.x), *size)
    for first in range(0, count, ask.batch):
        masks = random_masks(min(ask.batch, count - first), size, generator).to(ask.x)  # (b, *size)
        for row, x in enumerate(ask.x):
            shares = _log_probability(ask, x * masks[:, None], row).exp()  # (b,)
            total[row] += torch.einsum("b,b...->...", shares, masks).cpu()
    mean = total / (count * KEPT)
    floor = mean.flatten(1).amin(1).reshape(-1, *[1] * len(size))
    return mean - floor  # what every place has says nothing of where


def random_masks(count: int, size: torch.Size | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Coarse random grids made smooth and shifted at random: (count, *size) in [0, 1]."""
    axes = len(size)
    cells = [-(-length // GRID) for length in size]  # pixels in a cell, rounded up
    coarse = (torch.rand(count, 1, *[GRID + 1] * axes, generator=generator) < KEPT).float()
    mode = "bilinear" if axes == 2 else "linear"
    fine = F.interpolate(coarse, [(GRID + 1) * cell for cell in cells], mode=mode, align_corners=False)[:, 0]
    masks = torch.empty(count, *size)
    shifts = torch.stack([torch.randint(0, cell, (count,), generator=generator) for cell in cells], 1).tolist()
    for mask, whole, shift in zip(masks, fine, shifts, strict=True):
        mask.copy_(whole[tuple(slice(s, s + length) for s, length in zip(shift, size, strict=True))])
    return masks


def _spans(length: int, side: int) -> list[slice]:
    """Where a patch lies along one axis; the last one ends with the picture."""
    side = min(side, length)
    starts = {*range(0, length - side + 1, max(1, side // 2)), length - side}
    return [slice(start, start + side) for start in sorted(starts)]


def _log_probability(ask: Ask, x: Tensor, row: int) -> Tensor:
    return torch.log_softmax(forward(ask.net, x).float(), 1)[:, ask.target[row]]

"""Is an explanation itself true? Two tests that look at the network, not at how convincing the picture is.

Deletion and insertion (Petsiuk et al. 2018, arXiv:1806.07421, section 4.3): take away the pixels that the map calls
important, the most important first, and the class should be gone soon; put them in, and it should be there soon.
Randomization (Adebayo et al. 2018, arXiv:1810.03292): a map that stays the same when the weights are shuffled tells of
the picture, not of the network.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.errors import ShapeError
from svertka.explanation.frozen_network import bare, frozen_network
from svertka.explanation.heatmap import Heat
from svertka.explanation.layers import forward
from svertka.explanation.methods.cam import stretched
from svertka.explanation.methods.registry import Method, heats, on_device_of

BLUR = 0.1  # sigma of the blurred picture that insertion starts from, as a share of the shorter side
SAME = 0.5  # rank correlation with the shuffled network from which a method is marked


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The probability of the class while pixels go or come, most important first.

    shares         (k,) of the pixels that are changed, 0 to 1
    probabilities  (k,)
    area           under the curve: small is good for deletion, large for insertion
    """

    shares: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)
    area: float


@dataclass(frozen=True, slots=True)
class Randomized:
    """How much a map has to do with what was learned.

    similarity  mean rank correlation (Spearman) of the maps of the network and of shuffled ones, -1 to 1
    blind       whether the method is marked: its maps hardly change when the weights are shuffled
    """

    similarity: float
    blind: bool


def deletion(module: nn.Module, x: Tensor, heat: Heat, steps: int = 32, batch: int = 32) -> Curve:
    """Pixels become the mean color, the most important first; x is (1, channels, *size)."""
    return _curve(module, x, torch.zeros_like, heat, steps, batch)


def insertion(module: nn.Module, x: Tensor, heat: Heat, steps: int = 32, batch: int = 32) -> Curve:
    """Pixels of a blurred picture become sharp, the most important first."""
    return _curve(module, x, _blurred, heat, steps, batch, towards=True)


def randomization(
    module: nn.Module,
    x: Tensor,
    how: str | Method,
    *,
    layer: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    repeats: int = 3,
    batch: int = 32,
    own: list[Heat] | None = None,
) -> Randomized:
    """Compare a method's maps with those of the same network with every tensor of weights shuffled.

    The class is held fixed. The network itself is not touched: a copy is shuffled. `own` are the maps of the network,
    where they are known already.
    """
    own = own or heats(module, x, how, layer=layer, samples=samples, seed=seed, batch=batch)
    target = torch.tensor([heat.target for heat in own])
    found = []
    for repeat in range(repeats):
        other = _shuffled(bare(module), seed + repeat)
        place = own[0].layer if own[0].layer != "input" else layer
        maps = heats(other, x, how, layer=place, target=target, samples=samples, seed=seed, batch=batch)
        found += [rank_correlation(a.values, b.values) for a, b in zip(own, maps, strict=True)]
    similarity = float(np.mean(found))
    return Randomized(round(similarity, 4), similarity >= SAME)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's: Pearson's of the ranks, ties sharing theirs; 0 where either is flat.

    >>> rank_correlation(np.array([1, 2, 3.0]), np.array([1, 4, 9.0]))
    1.0
    """
    ranks = []
    for values in (a, b):
        _, place, count = np.unique(values.ravel(), return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    first, second = (r - r.mean() for r in ranks)
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return round(float((first * second).sum()) / norm, 12) if norm > 0 else 0.0


@torch.no_grad()
def _curve(
    module: nn.Module, x: Tensor, other: object, heat: Heat, steps: int, batch: int, towards: bool = False
) -> Curve:
    if len(x) != 1:
        raise ShapeError(f"A curve is that of one input; received {len(x)}.")
    with frozen_network(module) as net:
        x = on_device_of(net, x)
        flat = other(x)  # type: ignore[operator]
        start, end = (flat, x) if towards else (x, flat)
        size = x.shape[2:]
        order = stretched(torch.from_numpy(heat.values)[None], size)[0].flatten().argsort(descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        shares = torch.linspace(0, 1, steps + 1)
        found = []
        for some in shares.split(batch):
            changed = rank[None] < (some * len(order)).round()[:, None]  # (b, h*w)
            mixed = torch.where(changed.reshape(-1, 1, *size).to(x.device), end, start)  # (b, c, *size)
            found.append(torch.softmax(forward(net, mixed).float(), 1)[:, heat.target].cpu())
    curve = torch.cat(found).numpy()
    return Curve(shares.numpy(), curve, round(float(np.trapezoid(curve, shares.numpy())), 6))


def _blurred(x: Tensor) -> Tensor:
    sigma = max(1.0, BLUR * min(x.shape[2:]))
    reach = int(3 * sigma)
    bell = torch.exp(-(torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device) ** 2) / (2 * sigma**2))
    bell = bell / bell.sum()
    for axis in range(2, x.dim()):
        y = x.movedim(axis, -1)
        rows = y.reshape(-1, 1, y.shape[-1])
        edge = min(reach, y.shape[-1] - 1)
        rows = F.pad(F.pad(rows, (edge, edge), mode="reflect"), (reach - edge, reach - edge), mode="replicate")
        x = F.conv1d(rows, bell[None, None]).reshape(y.shape).movedim(-1, axis)
    return x


def _shuffled(net: nn.Module, seed: int) -> nn.Module:
    """A copy whose tensors of weights hold their numbers in another order."""
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(net)
    with torch.no_grad():
        for p in other.parameters():
            order = torch.randperm(p.numel(), generator=generator).to(p.device)
            p.copy_(p.flatten()[order].reshape(p.shape))
    return other

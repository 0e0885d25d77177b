"""Class activation maps: which places of a layer's feature maps speak for a class.

The layer's maps become the leaf of the graph, so one forward pass and the short way back from the logit to that
layer are all that the gradient methods cost.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.explanation.frozen_network import watching
from svertka.explanation.request import Ask


def grad_cam(ask: Ask) -> Tensor:
    """Channels weighed by their mean gradient; Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2."""
    maps, gradient = _maps_and_gradient(ask)  # (n, c, h, w) both
    weight = gradient.flatten(2).mean(2)  # (n, c)
    return torch.einsum("nc,nc...->n...", weight, maps).relu()  # (n, h, w)


def grad_cam_plus(ask: Ask) -> Tensor:
    """Places weighed so that several objects count alike; Chattopadhay et al. 2018, arXiv:1710.11063.

    Equations 10 and 19: as there the score goes through an exponential, whose derivatives are powers of the gradient.
    """
    maps, gradient = _maps_and_gradient(ask)
    square, cube = gradient**2, gradient**3
    total = maps.flatten(2).sum(2).reshape(*maps.shape[:2], *[1] * (maps.dim() - 2))  # (n, c, 1, 1)
    below = 2 * square + total * cube
    alpha = torch.where(below != 0, square / below, 0)  # (n, c, h, w)
    weight = (alpha * gradient.relu()).flatten(2).sum(2)  # (n, c)
    return torch.einsum("nc,nc...->n...", weight, maps).relu()


def layer_cam(ask: Ask) -> Tensor:
    """Every place weighed by its own positive gradient; Jiang et al. 2021, LayerCAM, IEEE TIP 30, equations 5 and 6."""
    maps, gradient = _maps_and_gradient(ask)
    return (gradient.relu() * maps).sum(1).relu()  # (n, h, w)


def eigen_cam(ask: Ask) -> Tensor:
    """The maps along their first principal direction, whatever the class; Muhammad and Yeasin 2020, arXiv:2008.00299.

    A direction has no sign; it is turned so that the maps lie along it rather than against it.
    """
    with torch.no_grad():
        maps = _maps(ask)  # (n, c, h, w)
        rows = maps.flatten(2).mT  # (n, h*w, c)
        first = torch.linalg.svd(rows.float(), full_matrices=False)[2][:, :1]  # (n, 1, c)
        along: Tensor = (rows.float() @ first.mT)[..., 0]  # (n, h*w)
        along = along * torch.where(along.sum(1, keepdim=True) < 0, -1.0, 1.0)
        return along.reshape(len(maps), *maps.shape[2:]).relu()


@torch.no_grad()
def score_cam(ask: Ask) -> Tensor:
    """Channels weighed by the score of the picture seen through each; Wang et al. 2020, arXiv:1910.01279, algorithm 1.

    `samples` is the most channels that are tried, those that vary most first; all where it is not given.
    """
    maps = _maps(ask)  # (n, c, h, w)
    found = []
    for row, (x, own) in enumerate(zip(ask.x, maps, strict=True)):
        spread = own.flatten(1).std(1)  # (c,)
        own = own[spread.argsort(descending=True, stable=True)[: ask.samples]]  # (k, h, w)
        weights = []
        for part in own.split(ask.batch):
            masks = stretched(_unit(part), x.shape[1:])[:, None]  # (b, 1, H, W)
            weights.append(ask.scores(x * masks, slice(row, row + 1)))
        weight = torch.softmax(torch.cat(weights), 0)  # (k,)
        found.append(torch.einsum("k,k...->...", weight, own).relu())
    return torch.stack(found)


def stretched(maps: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    """(n, *small) -> (n, *size), linear between the centers of places; an axis that the maps lack is filled alike."""
    size = tuple(size)
    kind = {1: "linear", 2: "bilinear"}[maps.dim() - 1]
    out = F.interpolate(maps[:, None].float(), size[-(maps.dim() - 1) :], mode=kind, align_corners=False)[:, 0]
    return out if out.dim() - 1 == len(size) else out[:, None].expand(len(out), *size)


def _maps_and_gradient(ask: Ask) -> tuple[Tensor, Tensor]:
    with watching(ask.net.get_submodule(ask.layer)) as watched:
        gradient = watched.gradient(ask.scores(ask.x))
        return watched.given().detach(), gradient


def _maps(ask: Ask) -> Tensor:
    with watching(ask.net.get_submodule(ask.layer)) as watched:
        ask.scores(ask.x)
        return watched.given().detach()


def _unit(maps: Tensor) -> Tensor:
    """Each map brought to [0, 1]; a flat one is all 0."""
    flat = maps.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - low) / (high - low).clamp(min=1e-12)).reshape(maps.shape)

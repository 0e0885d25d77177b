"""How far a parameter is from the head: what layer-wise rates go by.

Early layers know what all pictures have in common, late ones what classes are told by: a rate that falls with depth
keeps the former (Howard and Ruder 2018, arXiv:1801.06146, section 3.2, "discriminative fine-tuning").
"""

from __future__ import annotations

from torch import Tensor, nn

from svertka.blocks import Ensemble, Net


def depths(net: Net) -> list[list[nn.Module]]:
    """The parts of a network below its head, shallow to deep; of several side by side, those as far from the end."""
    nets = list(net.stages[0].nets) if isinstance(net, Ensemble) else [net]  # type: ignore[arg-type]
    rows = [[one.stem, *one.stages] for one in nets]
    most = max(map(len, rows))
    return [[row[k - most + len(row)] for row in rows if k - most + len(row) >= 0] for k in range(most)]


def distances(net: Net) -> dict[Tensor, int]:
    """For each parameter, how many parts lie between it and the output: 0 in pool and head, 1 in the last stage."""
    far: dict[Tensor, int] = dict.fromkeys(net.parameters(), 0)
    for distance, modules in enumerate(reversed(depths(net)), 1):
        far.update((p, distance) for module in modules for p in module.parameters())
    return far

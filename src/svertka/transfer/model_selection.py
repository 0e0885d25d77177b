"""Which of the networks at hand `auto` starts from: the strongest whose looks at all the pictures fit the time.

How strong one is, its publisher tells: the accuracy on ImageNet of this very file, or else of the network. How long it
looks is measured on this machine: what earlier looks have taken, or a picture as the network stands, which takes two to
seven times as long as through the one made quick for inference, and so errs on the safe side. It is processor time, so
that the choice does not hang on what else runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from svertka.blocks import averages
from svertka.transfer.backbones import Backbone, same_pixels
from svertka.transfer.features import streams
from svertka.transfer.local_weights import MOST
from svertka.zoo.weights.catalog import catalog, published

PATIENCE = 120.0  # seconds of looking where no time was named
SHARE = 0.3  # of the time that was named
TURNS = 3  # passes of one picture; the first picks kernels, the quickest of the others counts
TOP1 = {  # of files that the catalog does not list: Sandler et al. 2018 and Howard et al. 2017, their own releases
    "mobilenet_v2_035": 60.3, "mobilenet_v2_050": 65.4, "mobilenet_v2_075": 69.8, "mobilenet_v2_130": 74.4,
    "mobilenet_v2_140": 75.0, "mobilenet_v1_025": 50.6, "mobilenet_v1_050": 63.7, "mobilenet_v1_075": 68.4,
    "mobilenet_v1": 70.6,
}  # fmt: skip


def allowed(minutes: float | None) -> float:
    """Seconds that looking may take in a run of so many minutes."""
    return PATIENCE if minutes is None else SHARE * 60 * minutes


def strongest(found: Sequence[Backbone], pictures: int, seconds: float) -> list[Backbone]:
    """At most MOST of them, the strongest first, whose looks together fit the time; the quickest alone where none does.

    Args:
        found: what there is; two are taken only where they can stand side by side.
        pictures: that each looks at.
        seconds: that there are.
    """
    if len(found) < 2:
        return list(found)
    cost = {b.digest: pictures * seconds_each(b) for b in found}
    chosen: list[Backbone] = []
    for b in sorted(found, key=lambda b: (-strength(b), cost[b.digest])):
        if cost[b.digest] <= seconds and len(chosen) < MOST and all(_beside(b, other) for other in chosen):
            chosen.append(b)
            seconds -= cost[b.digest]
    return chosen or [min(found, key=lambda b: cost[b.digest])]


def _beside(one: Backbone, other: Backbone) -> bool:
    """Whether one store of pictures serves both, and one head."""
    return same_pixels(one.preprocess, other.preprocess) and averages(one.net.pool) and averages(other.net.pool)


def strength(backbone: Backbone) -> float:
    """Accuracy on ImageNet in percent, as far as it is known: of the file, or the least of its network's; else 0."""
    row, network = published(backbone.source), str(backbone.spec["name"])
    if row is not None and row.top1 is not None:
        return row.top1
    known = [row.top1 for row in catalog() if row.network == network and row.top1 is not None]
    return TOP1.get(network, min(known, default=0.0))


def seconds_each(backbone: Backbone) -> float:
    """Seconds for a picture on this machine, at most, where nobody else uses it: a busy hour changes no choice."""
    x = torch.zeros(1, *backbone.preprocess.shape).contiguous(memory_format=torch.channels_last)
    times, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)  # as each stream looks; several that wait for each other would count their waiting
    try:
        with torch.inference_mode():
            for _ in range(TURNS):
                start = time.thread_time()
                backbone.net.embed(x)
                times.append((time.thread_time() - start) / threads)
    finally:
        torch.set_num_threads(threads)
    return min([*times[1:], *streams(backbone).measured.values()])

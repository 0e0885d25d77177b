"""The ladder: ways to use a backbone, from the quickest to the slowest, each measured, kept only if it wins.

What wins is chosen on the validation pictures (without any, on training pictures left out in turn), so the winner's
figure flatters a little; the interval beside it says how little to make of small differences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from svertka.blocks import Dense, Net, averages
from svertka.common.messages import message
from svertka.data.splitting.manifest import Part
from svertka.evaluation import wilson
from svertka.evaluation.mcnemar import Difference, difference
from svertka.models import answer
from svertka.records import Rung
from svertka.transfer import linear_probe
from svertka.transfer.backbones import Backbone, side_by_side
from svertka.transfer.features import PLAIN, View

USUAL = ("neighbors", "linear")  # what is tried where the recipe asks for no kind of head
RUNGS = {"neighbors": "nearest neighbors", "linear": "linear head", "dense": "dense head"}
FITS: Mapping[str, Callable[..., linear_probe.Head]] = {
    "neighbors": linear_probe.nearest, "linear": linear_probe.linear, "dense": linear_probe.dense,
}  # fmt: skip


@dataclass
class Candidate:
    """A network that is ready, how its pictures are prepared, and its logits (n, c) on each part.

    deepens  whether what lies below the head may go on learning: it began from weights
    mirror   whether its answer is the mean over a picture and its mirror image
    """

    backbone: Backbone
    net: Net
    logits: dict[Part, Tensor]
    deepens: bool = True
    mirror: bool = False

    @property
    def spec(self) -> dict[str, Any]:
        """How to build the network again (see `bundle.describe`)."""
        made = self.net.made_head
        return {**self.backbone.spec, **({"head": dict(made)} if made is not None else {})}


# (backbone, part, view) -> features (n, d); computed once, whoever asks
Look = Callable[[Backbone, Part, View], Tensor]


@dataclass
class Ladder:
    """Rungs climbed so far, and the best of them."""

    labels: Mapping[Part, Tensor]  # of each part: (n,)
    classes: int
    look: Look
    rungs: list[Rung] = field(default_factory=list)
    best: Candidate | None = None
    height: float = -1.0  # the accuracy of the best
    start: Candidate | None = None  # the best with a linear head, or with the kind asked for: upper rungs start there
    start_height: float = -1.0
    kinds: Sequence[str] = USUAL  # of heads
    plain: Candidate | None = None  # the first linear head on one network: what the best is compared with

    def cached(self, backbones: Sequence[Backbone]) -> Iterator[Rung]:
        """Heads on features as they are: of each kind on each backbone, then the better ones on all together.

        Networks that end otherwise than in a global average cannot stand beside others.
        """
        for backbone in backbones:
            for kind in self.kinds:
                yield self._head(RUNGS[kind], [backbone], FITS[kind])
        if len(backbones) > 1 and self.kinds[-1] != "neighbors" and all(averages(b.net.pool) for b in backbones):
            yield self._head(RUNGS[self.kinds[-1]], backbones, FITS[self.kinds[-1]])

    def varied(self, backbones: Sequence[Backbone], views: Sequence[View]) -> Iterator[Rung]:
        """Heads that also learn from varied views of the training pictures."""
        kinds = ("linear", "dense") if self.kinds == USUAL else [k for k in self.kinds if k != "neighbors"]
        count = len(self.labels["train"])
        groups = torch.arange(count).repeat(1 + len(views))
        fits = {**FITS, "linear": lambda x, y, c: linear_probe.linear(x, y, c, groups)}
        for kind in kinds:
            yield self._head(f"{RUNGS[kind]}, varied views", backbones, fits[kind], views)

    def measure(self, name: str, detail: str, candidate: Candidate, left_out: float | None, begun: float) -> Rung:
        """Write a rung down, and keep its candidate if it is better than all before."""
        labels = self.labels.get("validation")
        accuracy = None
        if labels is not None:
            right = int((candidate.logits["validation"].argmax(1) == labels).sum())
            accuracy = wilson(right, len(labels))
        reached = accuracy.value if accuracy is not None else left_out if left_out is not None else 0.0
        kept = reached > self.height
        if kept:
            self.best, self.height = candidate, reached
        learnable = nn.Linear if "linear" in self.kinds else Dense
        if isinstance(candidate.net.head, learnable) and candidate.deepens and reached > self.start_height:
            self.start, self.start_height = candidate, reached
        if name == RUNGS["linear"] and self.plain is None:
            self.plain = candidate
        rung = Rung(name, candidate.backbone.name, detail, accuracy, left_out, time.perf_counter() - begun, kept)
        self.rungs.append(rung)
        return rung

    def gain(self) -> Difference | None:
        """By how much the best is better on the validation pictures than the plain linear head on one network.

        The best was chosen on these pictures, so the difference flatters a little. None where there is no other.
        """
        labels = self.labels.get("validation")
        if labels is None or self.plain is None or self.best is None or self.plain is self.best:
            return None
        before, after = ((c.logits["validation"].argmax(1) == labels).numpy() for c in (self.plain, self.best))
        return difference(before, after)

    def _head(
        self,
        name: str,
        backbones: Sequence[Backbone],
        fit: Callable[..., linear_probe.Head],
        views: Sequence[View] = (),
    ) -> Rung:
        begun = time.perf_counter()
        x = torch.cat([self._features(backbones, "train", view) for view in (PLAIN, *views)])  # (n, d)
        y = self.labels["train"].repeat(1 + len(views))
        head = fit(x, y, self.classes)
        logits: dict[Part, Tensor] = {
            part: self._logits(head, backbones, part) for part in self.labels if part != "train"
        }
        backbone = backbones[0] if len(backbones) == 1 else side_by_side(backbones)
        net = backbone.with_head(KINDS[type(head.module).__name__], x.shape[1], self.classes, **head.options)
        net.head.load_state_dict(head.module.state_dict())
        detail = head.detail
        if views:
            detail = message("rung.views", "{detail}, {k} views of each picture", detail=detail, k=len(views))
        return self.measure(name, detail, Candidate(backbone, net, logits), head.left_out, begun)

    def _features(self, backbones: Sequence[Backbone], part: Part, view: View = PLAIN) -> Tensor:
        return torch.cat([self.look(b, part, view) for b in backbones], dim=1)

    @torch.no_grad()
    def _logits(self, head: linear_probe.Head, backbones: Sequence[Backbone], part: Part) -> Tensor:
        logits: Tensor = head.module(self._features(backbones, part))
        return logits


KINDS = {"Linear": "linear", "Neighbors": "neighbors", "Dense": "dense"}


def logits_of(net: Net, batches: Iterator[Any], device: str = "cpu", *, mirror: bool = False) -> Tensor:
    """Logits (n, c) of a network over batches of input; with `mirror` the mean over pictures and mirror images."""
    with torch.inference_mode():
        return torch.cat([answer(net, x.to(device), mirror).cpu() for x, *_ in batches])


def as_labels(labels: np.ndarray) -> Tensor:
    """Class numbers as torch counts with them."""
    return torch.from_numpy(np.asarray(labels, dtype=np.int64))

"""Looking through frozen networks for one training: each picture once, kept while the run lasts, and timed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import torch

from svertka.data.splitting.manifest import Part
from svertka.hardware.plan import Plan
from svertka.pipeline.context import Context
from svertka.records import FeaturesExtracted
from svertka.transfer.backbones import Backbone
from svertka.transfer.features import View, extract, streams


class Stopped(Exception):
    """The person asked to stop: whoever climbs the ladder keeps what there is."""


@dataclass
class FeatureExtractor:
    """What the ladder calls for features: (backbone, part, view) -> (n, d).

    Attributes:
        stop: set when the person asks to stop; then the next look raises Stopped, and the cache has what was seen.
        spent: seconds and pictures computed, by the name of the backbone.
    """

    context: Context
    device: str
    stop: threading.Event
    kept: dict[tuple[str, str, View], torch.Tensor] = field(default_factory=dict)
    seen: dict[str, Backbone] = field(default_factory=dict)
    spent: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __call__(self, backbone: Backbone, part: Part, view: View) -> torch.Tensor:
        """The features of a part of the pictures, computed at most once."""
        key = (backbone.digest, part, view)
        if key not in self.kept:
            self.seen[backbone.name] = backbone
            self.kept[key] = self._extract(backbone, part, view)
        return self.kept[key]

    def _extract(self, backbone: Backbone, part: Part, view: View) -> torch.Tensor:
        start, computed = time.perf_counter(), 0

        def count(done: int, total: int) -> None:
            nonlocal computed, start
            if done == 0:
                start = time.perf_counter()  # making the network quick is no part of a picture's time
            computed = done
            self.context.journal.watch(FeaturesExtracted(backbone.name, done, total))
            if self.stop.is_set():
                raise Stopped

        store = self.context.data.store
        found = extract(
            backbone, store.pixels, store.digests, self.context.data.manifest.indices(part),
            view=view, device=self.device, progress=count,
        )  # fmt: skip
        if computed:
            seconds, pictures = self.spent.get(backbone.name, (0.0, 0))
            self.spent[backbone.name] = seconds + time.perf_counter() - start, pictures + computed
        return found

    def plan_with_timing(self, plan: Plan) -> Plan:
        """The plan with how this machine looks quickest, where that was measured."""
        for backbone in self.seen.values():
            found = streams(backbone, self.device)
            if found.chosen is not None and found.measured:
                return plan.replace(
                    measured=found.measured, reason=f"{plan.reason}; pictures {found.chosen}, by measurement"
                )
        return plan

    @property
    def speed(self) -> float:
        """Pictures a second through all networks; 0 where nothing had to be computed."""
        seconds, pictures = (sum(column) for column in zip(*self.spent.values(), strict=True)) if self.spent else (0, 0)
        return pictures / seconds if seconds else 0.0

    def has_features(self, backbone: Backbone) -> bool:
        """Whether it has looked through this backbone, or through all that stand side by side in it."""
        return all(name in self.seen for name in self._names(backbone))

    def members(self, backbone: Backbone) -> list[Backbone]:
        """The backbones that one stands for: those side by side in it, or itself."""
        return [self.seen[name] for name in self._names(backbone)]

    def _names(self, backbone: Backbone) -> list[str]:
        """Of an earlier run's two networks it has looked through both at once."""
        return [backbone.name] if backbone.name in self.seen else backbone.name.split(" + ")

    def seconds_each(self, backbone: Backbone) -> float:
        """Seconds for one picture through a backbone; of one that all was known of already, by trying one batch."""
        total = 0.0
        for part in self.members(backbone):
            if part.name not in self.spent:
                x = torch.zeros(8, *part.preprocess.shape)
                start = time.perf_counter()
                with torch.inference_mode():
                    part.net.embed(x)
                self.spent[part.name] = time.perf_counter() - start, len(x)
            seconds, pictures = self.spent[part.name]
            total += seconds / pictures
        return total

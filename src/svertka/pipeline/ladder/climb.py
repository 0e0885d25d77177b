"""The fourth step of a training that starts from weights: frozen features once, then as high as time allows."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from svertka.data.splitting.manifest import Part
from svertka.pipeline.context import Context
from svertka.pipeline.ladder.feature_extraction import FeatureExtractor, Stopped
from svertka.pipeline.ladder.progress import LadderProgress
from svertka.pipeline.ladder.rungs import Climb
from svertka.pipeline.plan import Planned
from svertka.pipeline.write_results import Fitted
from svertka.runs import layout
from svertka.transfer.backbones import Backbone, with_vlad
from svertka.transfer.features import PLAIN
from svertka.transfer.ladder import USUAL, Candidate, Ladder, as_labels

SAMPLE = 128  # training pictures whose maps give NetVLAD its centers


def climb(planned: Planned, stop: Event) -> Fitted:
    """The ladder, until its end or until `stop` is set; what was seen is kept in the cache.

    Raises:
        KeyboardInterrupt: the person asked to stop before anything was learned.
    """
    context, head = planned.context, planned.context.recipe.head
    labels = {part: as_labels(context.data.labels(part)) for part in get_args(Part) if context.data.count(part)}
    context.clock.now("features")
    torch.manual_seed(context.recipe.seed)
    extractor = FeatureExtractor(context, planned.plan.device, stop)
    kinds = USUAL if head is None else ("linear",) if head == "netvlad" else (head,)
    ladder = Ladder(labels, len(context.classes), extractor, kinds=kinds)
    progress = LadderProgress.of(context.run, context.clock.started)
    try:
        _run(Climb(context, ladder, extractor, planned.plan, progress), list(_backbones(context)), stop)
        stopped = False
    except Stopped:
        stopped = True
    if ladder.best is None:
        raise KeyboardInterrupt
    context.clock.now("end")
    return _fitted(planned, ladder, ladder.best, extractor, stopped=stopped)


def _run(climb: Climb, backbones: list[Backbone], stop: Event) -> None:
    for rung in climb.rungs(backbones):
        climb.context.run.log({"kind": "rung", **rung.to_dict()})
        climb.context.journal.watch(rung)
        if stop.is_set():
            raise Stopped


def _backbones(context: Context) -> Iterator[Backbone]:
    """The networks of the run; with the centers of NetVLAD measured on some training pictures, where that is asked."""
    if context.recipe.head != "netvlad":
        yield from context.backbones
        return
    index = context.data.manifest.indices("train")
    pixels = np.asarray(context.data.store.pixels[np.sort(index[:: -(-len(index) // SAMPLE)])])
    for backbone in context.backbones:
        yield with_vlad(backbone, pixels)


def _fitted(planned: Planned, ladder: Ladder, best: Candidate, extractor: FeatureExtractor, *, stopped: bool) -> Fitted:
    context, backbone = planned.context, best.backbone
    gain = ladder.gain()
    parts: tuple[Part, ...] = ("validation",) if stopped else ("validation", "test")  # test is scored once, at the end
    return Fitted(
        context.replace(preprocess=backbone.preprocess, recipe=context.recipe.replace(net=backbone.name)),
        extractor.plan_with_timing(planned.plan), best.net, best.spec,
        {part: (best.logits[part], ladder.labels[part]) for part in parts if part in best.logits}, best.mirror,
        stopped=stopped, seconds=context.clock.elapsed - context.read_seconds, speed=extractor.speed,
        epochs=context.recipe.epochs, metrics=lambda: {"backbone": backbone.digest},
        ladder={"ladder": [rung.to_dict() for rung in ladder.rungs], "gain": gain.to_dict() if gain else None},
        features=_features(context, backbone, extractor),
        temporary=None if stopped else context.run.path / layout.CHECKPOINT,
    )  # fmt: skip


def _features(context: Context, backbone: Backbone, extractor: FeatureExtractor) -> dict[Part, list[Tensor]] | None:
    """Of training and validation, for the map; a network that was never frozen has none."""
    if not extractor.has_features(backbone):
        return None
    parts: tuple[Part, ...] = ("train", "validation")
    members = extractor.members(backbone)
    return {part: [extractor(b, part, PLAIN) for b in members] for part in parts if context.data.count(part)}

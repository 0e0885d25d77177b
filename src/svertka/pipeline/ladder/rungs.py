"""The rungs that take longer than one look, each only where it fits into the time that is left.

Varied views of few pictures, the last stages unfrozen, the whole network; and, where the pictures are far smaller than
what the weights were made for or time allows it, a fresh network beside them: transfer is not always better.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from svertka.blocks import Net
from svertka.common.messages import message
from svertka.data.prepare import decode
from svertka.data.splitting.manifest import Part
from svertka.errors import NotFinite
from svertka.hardware.autotune import make_plan
from svertka.hardware.plan import Plan
from svertka.kinds.base import Augment
from svertka.models import describe
from svertka.pipeline.build import build_from_data, loader
from svertka.pipeline.checkpointing import CheckpointWriter
from svertka.pipeline.choose_preprocess import facts_of
from svertka.pipeline.choose_preprocess import from_scratch as choose_from_scratch
from svertka.pipeline.context import Context
from svertka.pipeline.ladder.feature_extraction import FeatureExtractor, Stopped
from svertka.pipeline.ladder.progress import LadderProgress
from svertka.records import Epoch, LoopRecord, Note, Rung
from svertka.training import checkpoint, class_balance, loop
from svertka.training.defaults import from_scratch
from svertka.training.monitoring.estimate import END
from svertka.training.state import State
from svertka.transfer.backbones import Backbone
from svertka.transfer.features import View
from svertka.transfer.finetune import ENOUGH, begin, finetune, gentle
from svertka.transfer.ladder import Candidate, Ladder, logits_of

VIEWS = 4  # varied views of each training picture
OVERHEAD = 1.15  # a real step also reads, varies and validates
LAST = 2  # stages that the first upper rung unfreezes
EPOCHS = 10  # of an upper rung, where time allows
FAR = 2  # times that a picture's side goes into the backbone's, from where on fresh weights are tried in any case
FAIR = 0.5  # share of its usual passes that a fresh network needs at least, or its trial tells nothing
SHARES = {"views": 0.4, "last stages unfrozen": 0.5, "whole network": 0.9, "from scratch": 0.25}  # of the time left


@dataclass
class Climb:
    """One ladder on its way up."""

    context: Context
    ladder: Ladder
    extractor: FeatureExtractor
    plan: Plan
    progress: LadderProgress

    @property
    def pictures(self) -> int:
        """That learn."""
        return len(self.ladder.labels["train"])

    @property
    def _facts(self) -> from_scratch.Facts:
        return self.context.facts or facts_of(self.context.data.source)

    def seconds_left(self) -> float:
        """Seconds until the run has to end; without a limit, none may be spent beyond what was asked for."""
        if self.context.recipe.minutes is None:
            return 0.0
        return self.context.recipe.minutes * 60 - self.progress.spent - END

    def rungs(self, backbones: list[Backbone]) -> Iterator[Rung]:
        """All rungs, the quickest first."""
        recipe = self.context.recipe
        yield from self.ladder.cached(backbones)
        if "validation" not in self.ladder.labels:
            return  # nothing could tell whether what took longer is better
        far = self._facts.side * FAR <= backbones[0].preprocess.height
        if far or self.seconds_left() > 0:
            yield from self._scratch(far)
        if recipe.minutes is None and recipe.epochs is None:
            return
        if self.pictures < ENOUGH and not recipe.augment.none:
            yield from self._views(recipe.augment)
        if self.ladder.start is None or recipe.freeze == "backbone":
            return
        if self.pictures < ENOUGH:  # of many, the whole network makes more in the same time
            yield from self._unfreeze("last stages unfrozen", LAST)
        yield from self._unfreeze("whole network", None)

    def _views(self, varied: Augment) -> Iterator[Rung]:
        best = self.ladder.best.backbone if self.ladder.best and self.ladder.best.deepens else None
        if best is None:
            return
        members = self.extractor.members(best)

        def affordable() -> dict[str, int]:
            each = self.extractor.seconds_each(best) * self.pictures
            return {"views": max(0, min(VIEWS, int(SHARES["views"] * self.seconds_left() / each)))}

        if views := self.progress.decide_once("varied views", affordable)["views"]:
            yield from self.ladder.varied(members, [View(k, varied) for k in range(1, views + 1)])

    def _unfreeze(self, name: str, last: int | None) -> Iterator[Rung]:
        began, start = time.perf_counter(), self.ladder.start
        if start is None:
            return
        recipe, _ = gentle(self.context.recipe, self.pictures)
        recipe = recipe.replace(batch_size=min(recipe.batch_size or 1, self.pictures))
        context = self.context.replace(preprocess=start.backbone.preprocess, recipe=recipe)
        measure = last is None and self.pictures >= ENOUGH

        def fresh(plan: Plan) -> State:
            return begin(copy.deepcopy(start.net), recipe, plan, last, measure=measure)

        plan, epochs = self._settle(name, context, EPOCHS, lambda: fresh(self.plan).net)
        if not epochs:
            return
        context = context.replace(recipe=recipe.replace(epochs=epochs))
        state = fresh(plan)
        if self._fit(context, state, plan, name):
            made = state.measured_net
            detail = (
                message("rung.norms", "{n} epochs, rates by depth, batch norms measured anew", n=len(state.history))
                if measure
                else message("rung.depth", "{n} epochs, rates by depth", n=len(state.history))
            )
            found = Candidate(start.backbone, made, self._logits(made, context, plan), mirror=bool(recipe.test_flip))
            yield self.ladder.measure(name, detail, found, None, began)

    def _scratch(self, far: bool) -> Iterator[Rung]:
        """A fresh network, at the size that suits these pictures."""
        name, began = "from scratch", time.perf_counter()
        if self.progress.was_skipped(name):
            return
        open_fields = dict.fromkeys(("net", "size", "fit", "freeze", "head", "stages"))
        recipe = self.context.recipe.replace(**open_fields, weights="none")
        recipe, _, preprocess = choose_from_scratch(recipe, self._facts)
        data = dataclasses.replace(self.context.data, store=decode(self.context.data.source, preprocess))
        context, net, _ = build_from_data(
            self.context.replace(data=data, preprocess=preprocess, recipe=recipe, backbones=(), facts=self._facts)
        )
        usual = context.recipe.epochs or 1
        batch = min(context.recipe.batch_size or 1, self.pictures)
        context = context.replace(recipe=context.recipe.replace(batch_size=batch))
        timed = context.recipe.minutes is not None or not far
        plan, epochs = self._settle(name, context, usual, lambda: net, least=math.ceil(FAIR * usual), timed=timed)
        if not epochs:
            return
        context, others = context.replace(recipe=context.recipe.replace(epochs=epochs)), self.ladder.height
        state = loop.begin(net, context.recipe, plan)
        if not self._fit(context, state, plan, name):
            return
        made, what = state.measured_net, str(context.recipe.net)
        own = Backbone(what, made, context.image_preprocess, describe(made, what, context.preprocess.shape))
        logits, mirror = self._logits(made, context, plan), bool(context.recipe.test_flip)
        found = Candidate(own, made, logits, deepens=False, mirror=mirror)
        detail = message("rung.scratch", "{n} epochs at {size} pixels", n=len(state.history), size=str(recipe.size))
        rung = self.ladder.measure(name, detail, found, None, began)
        if rung.kept and rung.accuracy is not None:
            self.context.note(
                message(
                    "rung.fresh",
                    "A fresh network is better here than the frozen one: {share} against {other} on validation, at "
                    "{size} pixels a side. `--weights none` gives it all the time.",
                    share=f"{rung.accuracy.value:.1%}",
                    other=f"{others:.1%}",
                    size=str(recipe.size),
                )
            )
        yield rung

    def _settle(
        self, name: str, context: Context, most: int, net: Callable[[], Net], *, least: int = 1, timed: bool = True
    ) -> tuple[Plan, int]:
        """How a rung computes, and how many passes it takes: `most`, or if `timed` as many as its share of time allows.

        It takes none where these are fewer than `least`.
        """

        def decide() -> dict[str, Any]:
            shape = (context.recipe.batch_size or 1, *context.preprocess.shape)
            plan = make_plan(net(), shape, self.ladder.classes, requested=dict(context.options))
            epochs = self._epochs(name, context, plan, most, least) if timed else most
            return {"plan": plan.to_dict(), "epochs": epochs}

        found = self.progress.decide_once(name, decide)
        return Plan(**found["plan"]), found["epochs"]

    def _epochs(self, name: str, context: Context, plan: Plan, most: int, least: int) -> int:
        """As many as were asked for, or as fit into this rung's share of the time; says so where it is too short."""
        if self.context.recipe.epochs is not None:
            return self.context.recipe.epochs
        one = plan.step * OVERHEAD * -(-self.pictures // (context.recipe.batch_size or 1))
        epochs = min(most, int(SHARES[name] * self.seconds_left() / one))
        if epochs >= least:
            return epochs
        self.context.note(
            message(
                "rung.left-out",
                "The rung '{rung}' was left out: one pass takes about {seconds} seconds. More --minutes allow it.",
                rung=message(name, name),
                seconds=f"{one:.0f}",
            )
        )
        return 0

    def _fit(self, context: Context, state: State, plan: Plan, name: str) -> bool:
        """Train, from where an earlier process left this rung; the state then holds the best epoch.

        A person who asks to stop gets the best so far. False, with a sentence, where the loss was lost for good: what
        was learned below stands all the same.

        Raises:
            Stopped: before the first epoch was finished.
        """
        class_balance.weigh(state, context.recipe, context.data.labels("train"), self.ladder.classes)
        train, validation = loader(context, "train", plan, training=True), loader(context, "validation", plan)
        checkpoints = CheckpointWriter(context, state, self.progress.checkpoint_dir(name))
        if (checkpoints.folder / checkpoint.NAME).is_file():
            checkpoint.restore(state, checkpoints.folder)
        context.run.rewind(state.step, len(train), name)

        def log(record: LoopRecord) -> bool:
            if isinstance(record, Note) and record.back_to is not None:
                context.run.rewind(record.back_to, len(train), name)
            context.log_record(record, kind="climb", rung=name)
            stop = self.extractor.stop.is_set()
            if stop or checkpoints.should_save(record) or (isinstance(record, Epoch) and record.epoch == record.epochs):
                checkpoints.save()
                self.progress.write()
            return stop

        try:
            finished = finetune(state, train, validation, context.recipe, plan, log)
        except NotFinite as trouble:
            context.note(f"The rung {name!r} was given up. {context.training_error(trouble)}")
            return False
        if not finished:
            raise Stopped
        return True

    def _logits(self, net: Net, context: Context, plan: Plan) -> dict[Part, Tensor]:
        """Of each part that judges; the network comes back on the CPU."""
        parts: tuple[Part, ...] = ("validation", "test")
        mirror = bool(context.recipe.test_flip)
        found: dict[Part, Tensor] = {
            p: logits_of(net, iter(loader(context, p, plan)), plan.device, mirror=mirror)
            for p in parts
            if p in self.ladder.labels
        }
        net.cpu()
        return found

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

import torch
from torch import Tensor

from svertka import data as rooms
from svertka.blocks import Net
from svertka.common.messages import message
from svertka.errors import NotFinite
from svertka.hardware.autotune import make_plan
from svertka.hardware.plan import Plan
from svertka.kinds.base import Augment
from svertka.kinds.image.defaults import GLYPH
from svertka.models import describe
from svertka.pipeline.build import first_net, loader, with_statistics
from svertka.pipeline.checkpointing import Saver
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Job
from svertka.pipeline.feature_extraction import Looking, Stopped
from svertka.pipeline.ladder_resume import Waypoints
from svertka.records import Epoch, LoopRecord, Note, Rung
from svertka.training import checkpoint, class_balance, loop
from svertka.training.defaults import from_scratch
from svertka.training.monitoring.estimate import END
from svertka.training.recipe import Recipe
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


def vary(recipe: Recipe, facts: from_scratch.Facts) -> tuple[Recipe, dict[str, str]]:
    """What the recipe leaves open about varying pictures, and why."""
    small = (recipe.size or facts.side) <= GLYPH
    choices = {
        "flip_horizontal": (
            facts.color,
            message("flip.weights", "color photographs keep their meaning when mirrored; gray pictures may be signs"),
        ),
        "test_flip": (
            facts.color if (flip := recipe.get("flip_horizontal")) is None else flip,
            message("test-flip.weights", "as the rungs that learn have learned"),
        ),
        "shift": (0.1 if small else 0.08, message("shift.weights", "objects are not all centered")),
        "scale": (
            0.0 if small else 0.15,
            message("scale.weights", "objects come near and far; small pictures are not resampled"),
        ),
    }
    filled = {k: v for k, (v, _) in choices.items() if recipe.get(k) is None}
    return recipe.replace(**filled), {k: choices[k][1] for k in filled}


@dataclass
class Climb:
    """One ladder on its way up."""

    job: Job
    ladder: Ladder
    looking: Looking
    plan: Plan
    side: int  # of the pictures as they are
    way: Waypoints

    @property
    def pictures(self) -> int:
        """That learn."""
        return len(self.ladder.labels["train"])

    def left(self) -> float:
        """Seconds until the run has to end; without a limit, none may be spent beyond what was asked for."""
        if self.job.recipe.minutes is None:
            return 0.0
        return self.job.recipe.minutes * 60 - self.way.spent - END

    def rungs(self, backbones: list[Backbone]) -> Iterator[Rung]:
        """All rungs, the quickest first."""
        recipe = self.job.recipe
        yield from self.ladder.cached(backbones)
        if "validation" not in self.ladder.labels:
            return  # nothing could tell whether what took longer is better
        far = self.side * FAR <= backbones[0].preprocess.height
        if far or self.left() > 0:
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
        parts = self.looking.parts(best)

        def affordable() -> dict[str, int]:
            each = self.looking.seconds_each(best) * self.pictures
            return {"views": max(0, min(VIEWS, int(SHARES["views"] * self.left() / each)))}

        if views := self.way.settle("varied views", affordable)["views"]:
            yield from self.ladder.varied(parts, [View(k, varied) for k in range(1, views + 1)])

    def _unfreeze(self, name: str, last: int | None) -> Iterator[Rung]:
        begun, start = time.perf_counter(), self.ladder.start
        if start is None:
            return
        recipe, _ = gentle(self.job.recipe, self.pictures)
        recipe = recipe.replace(batch_size=min(recipe.batch_size or 1, self.pictures))
        job = dataclasses.replace(self.job, preprocess=start.backbone.preprocess, recipe=recipe)
        measure = last is None and self.pictures >= ENOUGH

        def fresh(plan: Plan) -> State:
            return begin(copy.deepcopy(start.net), recipe, plan, last, measure=measure)

        plan, epochs = self._settle(name, job, EPOCHS, lambda: fresh(self.plan).net)
        if not epochs:
            return
        job.recipe = recipe.replace(epochs=epochs)
        state = fresh(plan)
        if self._fit(job, state, plan, name):
            made = state.measured_net
            detail = (
                message("rung.norms", "{n} epochs, rates by depth, batch norms measured anew", n=len(state.history))
                if measure
                else message("rung.depth", "{n} epochs, rates by depth", n=len(state.history))
            )
            found = Candidate(start.backbone, made, self._logits(made, job, plan), mirror=bool(recipe.test_flip))
            yield self.ladder.measure(name, detail, found, None, begun)

    def _scratch(self, far: bool) -> Iterator[Rung]:
        """A fresh network, at the size that suits these pictures."""
        name, begun = "from scratch", time.perf_counter()
        if self.way.left_out(name):
            return
        open_ones = dict.fromkeys(("net", "size", "fit", "freeze", "head", "stages"))
        fresh = self.job.recipe.replace(**open_ones, weights="none")
        fresh, _, facts, preprocess = first_choices(self.job.source, fresh)
        store = rooms.begin_store(self.job.source, preprocess).finish()
        job = dataclasses.replace(self.job, store=store, preprocess=preprocess, recipe=fresh, start=None)
        job.preprocess = with_statistics(job)
        job.recipe, _ = from_scratch.choose_rest(fresh, dataclasses.replace(facts, training=self.pictures))
        job.recipe = job.recipe.replace(batch_size=min(job.recipe.batch_size or 1, self.pictures))
        torch.manual_seed(job.recipe.seed)
        net, usual = first_net(job), job.recipe.epochs or 1
        timed = job.recipe.minutes is not None or not far
        plan, epochs = self._settle(name, job, usual, lambda: net, least=math.ceil(FAIR * usual), timed=timed)
        if not epochs:
            return
        job.recipe, others = job.recipe.replace(epochs=epochs), self.ladder.height
        state = loop.begin(net, job.recipe, plan)
        if not self._fit(job, state, plan, name):
            return
        made, what = state.measured_net, str(job.recipe.net)
        own = Backbone(what, made, job.preprocess, describe(made, what, job.preprocess.shape))
        logits, mirror = self._logits(made, job, plan), bool(job.recipe.test_flip)
        found = Candidate(own, made, logits, deepens=False, mirror=mirror)
        detail = message("rung.scratch", "{n} epochs at {size} pixels", n=len(state.history), size=str(fresh.size))
        rung = self.ladder.measure(name, detail, found, None, begun)
        if rung.kept and rung.accuracy is not None:
            self.job.note(
                message(
                    "rung.fresh",
                    "A fresh network is better here than the frozen one: {share} against {other} on validation, at "
                    "{size} pixels a side. `--weights none` gives it all the time.",
                    share=f"{rung.accuracy.value:.1%}",
                    other=f"{others:.1%}",
                    size=str(fresh.size),
                )
            )
        yield rung

    def _settle(
        self, name: str, job: Job, most: int, net: Callable[[], Net], *, least: int = 1, timed: bool = True
    ) -> tuple[Plan, int]:
        """How a rung computes, and how many passes it takes: `most`, or if `timed` as many as its share of time allows.

        It takes none where these are fewer than `least`.
        """

        def decide() -> dict[str, Any]:
            shape = (job.recipe.batch_size or 1, *job.preprocess.shape)
            plan = make_plan(net(), shape, self.ladder.classes, requested=job.wanted)
            epochs = self._epochs(name, job, plan, most, least) if timed else most
            return {"plan": plan.to_dict(), "epochs": epochs}

        found = self.way.settle(name, decide)
        return Plan(**found["plan"]), found["epochs"]

    def _epochs(self, name: str, job: Job, plan: Plan, most: int, least: int) -> int:
        """As many as were asked for, or as fit into this rung's share of the time; says so where it is too short."""
        if self.job.recipe.epochs is not None:
            return self.job.recipe.epochs
        one = plan.step * OVERHEAD * max(1, self.pictures // (job.recipe.batch_size or 1))
        epochs = min(most, int(SHARES[name] * self.left() / one))
        if epochs >= least:
            return epochs
        self.job.note(
            message(
                "rung.left-out",
                "The rung '{rung}' was left out: one pass takes about {seconds} seconds. More --minutes allow it.",
                rung=message(name, name),
                seconds=f"{one:.0f}",
            )
        )
        return 0

    def _fit(self, job: Job, state: State, plan: Plan, name: str) -> bool:
        """Train, from where an earlier process left this rung; the state then holds the best epoch.

        A person who asks to stop gets the best so far. False, with a sentence, where the loss was lost for good: what
        was learned below stands all the same.

        Raises:
            Stopped: before the first epoch was finished.
        """
        class_balance.weigh(state, job.recipe, job.labels("train"), self.ladder.classes)
        train, validation = loader(job, "train", plan, training=True), loader(job, "validation", plan)
        saver = Saver(job, state, self.way.place(name))
        if (saver.folder / checkpoint.NAME).is_file():
            checkpoint.restore(state, saver.folder)
        job.run.rewind(state.step, len(train), name)

        def tell(record: LoopRecord) -> bool:
            if isinstance(record, Note) and record.back_to is not None:
                job.run.rewind(record.back_to, len(train), name)
            job.tell(record, kind="climb", rung=name)
            asked = self.looking.asked.is_set()
            if asked or saver.due(record) or (isinstance(record, Epoch) and record.epoch == record.epochs):
                saver.save()
                self.way.write()
            return asked

        try:
            finished = finetune(state, train, validation, job.recipe, plan, tell)
        except NotFinite as trouble:
            job.note(f"The rung {name!r} was given up. {job.unfit(trouble)}")
            return False
        if not finished:
            raise Stopped
        return True

    def _logits(self, net: Net, job: Job, plan: Plan) -> dict[str, Tensor]:
        """Of each part that judges; the network comes back on the CPU."""
        parts = [part for part in self.ladder.labels if part != "train"]
        mirror = bool(job.recipe.test_flip)
        found = {p: logits_of(net, iter(loader(job, p, plan)), plan.device, mirror=mirror) for p in parts}
        net.cpu()
        return found

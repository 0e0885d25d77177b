"""A training as it would begin, without a run folder: for questions that must be asked of the real data and network."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import torch

from svertka import data as rooms
from svertka.data.loading.loader import Loader
from svertka.errors import DataError
from svertka.hardware.autotune import make_plan, refuse_impossible
from svertka.hardware.options import parse_plan
from svertka.hardware.plan import Plan
from svertka.pipeline.build import check_net, first_net, loader, with_statistics
from svertka.pipeline.choose_preprocess import divided, first_choices
from svertka.pipeline.context import Job, Where
from svertka.records import FilesDecoded, Watch
from svertka.runs.run_folder import Run
from svertka.training import class_balance, loop
from svertka.training.defaults import from_scratch
from svertka.training.recipe import Recipe
from svertka.training.state import State


class Rehearsal:
    """What `train` would begin with, from scratch or from the weights that are named; nothing of it is kept.

    Attributes:
        name: of the data.
        recipe: filled in, with `reasons` for what was chosen.
        plan: how to compute here.

    Raises:
        DataError: no usable pictures.
        UsageError: a setting is wrong.
    """

    def __init__(self, data: Where, watch: Watch, plan: str | None = None, **settings: Any) -> None:
        wanted = parse_plan(plan)
        refuse_impossible(wanted)
        asked = Recipe.from_dict({"weights": "none", **settings})
        source = rooms.open_source(data, group_by=asked.group_by)
        recipe, reasons, facts, preprocess = first_choices(source, asked)
        check_net(recipe, preprocess, len(source.classes))
        store = rooms.begin_store(source, preprocess).finish(lambda done, total: watch(FilesDecoded(done, total)))
        manifest = divided(source, store, recipe)
        nowhere = Run(Path(tempfile.gettempdir()) / "a run that is never written")
        self.job = Job(nowhere, source, store, manifest, preprocess, recipe, reasons, watch, 0.0, "svertka train")
        if not self.job.count("train"):
            raise DataError(f"{source.where} holds no picture to learn from.")
        self.job.preprocess = with_statistics(self.job)
        facts = dataclasses.replace(facts, training=self.job.count("train"))
        self.job.recipe, chosen = from_scratch.choose_rest(recipe, facts)
        self.job.reasons |= chosen
        self.name = source.name
        shape = (min(self.recipe.batch_size or 1, self.job.count("train")), *self.job.preprocess.shape)
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed)
            self.plan: Plan = make_plan(first_net(self.job), shape, len(manifest.classes), requested=wanted)
        watch(self.plan.chosen)

    @property
    def recipe(self) -> Recipe:
        """What `train` would do."""
        return self.job.recipe

    def begin(self) -> State:
        """A fresh network, the same each time."""
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed)
            state = loop.begin(first_net(self.job), self.recipe, self.plan)
        class_balance.weigh(state, self.recipe, self.job.labels("train"), len(self.job.manifest.classes))
        return state

    def pictures(self, part: str, most: int | None = None) -> Loader:
        """Batches of one part as training sees it, of its first `most` pictures where that is said."""
        made = loader(self.job, part, self.plan, training=part == "train")
        if most is not None and most < len(made.index):
            made.index = made.index[:most]
        return made

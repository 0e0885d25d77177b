"""A training as it would begin, without a run folder: for questions that must be asked of the real data and network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from svertka.data.loading.loader import Loader
from svertka.data.prepare import decode, divide
from svertka.data.sources.open import open_source
from svertka.data.splitting.manifest import Part
from svertka.errors import DataError
from svertka.hardware.autotune import make_plan, refuse_impossible
from svertka.hardware.options import parse_plan
from svertka.hardware.plan import Plan
from svertka.pipeline.build import build_from_data, check_net, first_net, loader
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Context, Journal, Where
from svertka.records import Watch
from svertka.runs.run_folder import Run
from svertka.training import class_balance, loop
from svertka.training.monitoring.time_profile import Clock
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
        options = parse_plan(plan)
        refuse_impossible(options)
        recipe = Recipe.from_dict({"weights": "none", **settings})
        source = open_source(data, group_by=recipe.group_by)
        recipe, reasons, facts, preprocess = first_choices(source, recipe)
        check_net(recipe, preprocess, len(source.classes))
        store = decode(source, preprocess, watch)
        data_set = divide(source, store, seed=recipe.seed, share=recipe.validation)
        if not data_set.count("train"):
            raise DataError(f"{source.where} holds no picture to learn from.")
        nowhere = Run(Path(tempfile.gettempdir()) / "a run that is never written")
        context = Context(
            Journal(nowhere, watch), data_set, preprocess, recipe, reasons, Clock(), "svertka train",
            facts=facts, options=options,
        )  # fmt: skip
        with torch.random.fork_rng():
            self.context, net, _ = build_from_data(context)
            shape = (min(self.recipe.batch_size or 1, data_set.count("train")), *self.context.preprocess.shape)
            self.plan: Plan = make_plan(net, shape, len(self.context.classes), requested=options)
        self.name = source.name
        watch(self.plan.chosen)

    @property
    def recipe(self) -> Recipe:
        """What `train` would do."""
        return self.context.recipe

    def begin(self) -> State:
        """A fresh network, the same each time."""
        with torch.random.fork_rng():
            state = loop.begin(first_net(self.context), self.recipe, self.plan)
        class_balance.weigh(state, self.recipe, self.context.data.labels("train"), len(self.context.classes))
        return state

    def pictures(self, part: Part, most: int | None = None) -> Loader:
        """Batches of one part as training sees it, of its first `most` pictures where that is said."""
        batches = loader(self.context, part, self.plan, training=part == "train")
        if most is not None and most < len(batches.index):
            batches.index = batches.index[:most]
        return batches

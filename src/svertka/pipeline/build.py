"""The second step of a training: its recipe, its network, how its pictures are normalized; and its batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from svertka import models, zoo
from svertka.blocks import Net, measure_whitening
from svertka.common.torchrun import World
from svertka.data.loading.loader import Loader
from svertka.data.splitting.manifest import Part
from svertka.errors import RunError, SvertkaError, UnknownName, UsageError
from svertka.hardware.plan import Plan
from svertka.kinds.base import Preprocess
from svertka.pipeline.checkpointing import saved_checkpoint
from svertka.pipeline.choose_preprocess import facts_of
from svertka.pipeline.context import Context
from svertka.pipeline.ladder.choose_recipe import choose
from svertka.runs import layout
from svertka.training.defaults import from_scratch
from svertka.training.gradient_accumulation import LEAST
from svertka.training.recipe import Recipe
from svertka.training.schedules.progressive_resizing import SIZES, resized
from svertka.transfer import local_weights
from svertka.zoo.weights.catalog import load_weights, published

SAMPLE = 2000  # training pictures that say enough of all of them
AT_ONCE = 256  # pictures that are measured at once, at least


def check_net(recipe: Recipe, preprocess: Preprocess, classes: int) -> None:
    """Refuse a network that does not exist or cannot take the pictures, before any time is spent on them."""
    if recipe.net is None:
        return
    with torch.device("meta"):
        net = zoo.make(recipe.net, preprocess.shape, classes).eval()
        net(torch.empty(1, *preprocess.shape))
        if recipe.grow:
            smallest = resized(torch.empty(1, *preprocess.shape), SIZES[0])
            try:
                net(smallest)
            except (RuntimeError, SvertkaError) as why:
                sides = f"{smallest.shape[2]} x {smallest.shape[3]}"
                raise UsageError(
                    f"grow={recipe.grow:g} begins with pictures of {sides} pixels, which {recipe.net} does not take: "
                    "leave grow out, or choose a network with global pooling."
                ) from why


@dataclass(frozen=True)
class Built:
    """A training that could begin: its recipe is filled in.

    net     at its start; None on the ladder, which has its networks from the backbones
    chosen  fields of the recipe that nobody asked for, with the reasons: the clock may change them
    """

    context: Context
    net: Net | None
    chosen: Mapping[str, str] = field(default_factory=dict)


def build(context: Context) -> Built:
    """Fill in the recipe and make the network: from scratch, from weights, or as the run had it that goes on.

    Raises:
        RunError: recipe.json of the run is damaged.
        UsageError: weights were asked for, but not for a network of the zoo.
    """
    context.clock.now("plan")
    if context.resumed is not None:
        return _build_again(context, context.resumed)
    if context.backbones:
        context = choose(context)
    elif context.facts is not None and local_weights.sought(context.recipe, context.facts.side):
        context.note(local_weights.missing_sentence())
    return Built(context, None) if context.on_ladder else Built(*build_from_data(context))


def build_from_data(context: Context) -> tuple[Context, Net, dict[str, str]]:
    """What the data tell: how pictures are normalized, and what the recipe leaves open, with reasons. Seeds torch."""
    facts = facts_of(context.data.source) if context.facts is None else context.facts
    facts = dataclasses.replace(facts, training=context.data.count("train"))
    recipe, reasons = from_scratch.choose_rest(context.recipe, facts)
    context = context.replace(preprocess=_with_statistics(context)).choose((recipe, reasons))
    return context, first_net(context), reasons


def _build_again(context: Context, config: Mapping[str, Any]) -> Built:
    """From the checkpoint on; of a run that was killed before its first, from the start, and so is its log."""
    if "transfer" in config:
        return Built(context, None)
    if saved_checkpoint(context.run) is None:
        context.run.rewind(0, 1)
        return Built(context, first_net(context))
    try:
        return Built(context, models.build(config["network"], len(context.classes), config.get("structure")))
    except (KeyError, TypeError) as why:
        raise RunError(f"{context.run.path / layout.RECIPE} is damaged: {why!r}.") from why


def first_net(context: Context) -> Net:
    """The network at the start: fresh, or with the weights that were asked for. Seeds torch.

    Raises:
        UsageError: weights were asked for, but not for a network of the zoo.
    """
    recipe, classes, start = context.recipe, len(context.classes), context.start
    torch.manual_seed(recipe.seed)
    if start is not None:
        with torch.inference_mode():
            width = start.net.embed(torch.zeros(1, *context.preprocess.shape)).shape[1]
        return start.with_head(recipe.head or "linear", width, classes)
    name = recipe.net or ""  # the recipe is filled in
    if recipe.weights in (None, "none"):
        return fresh_net(name, context.preprocess, classes, _sample(context))
    try:
        return load_weights(name, recipe.weights, classes=classes, channels=context.preprocess.channels, drop_head=True)
    except UnknownName:
        if name in zoo.variants():
            raise
        raise UsageError(f"--weights needs a network of the zoo by name, not {name!r}; see `svertka nets`.") from None


def fresh_net(name: str, preprocess: Preprocess, classes: int, pixels: np.ndarray) -> Net:
    """A network by name or notation; what it measures instead of learning, it measures on uint8 (k, h, w, c)."""
    net = zoo.make(name, preprocess.shape, classes)
    measure_whitening(net, preprocess.normalize(pixels))
    return net


def _with_statistics(context: Context) -> Preprocess:
    """The preprocessing with mean and deviation of each channel: of the training pictures, or as the weights want."""
    if context.start is not None:
        return context.preprocess
    weights = context.recipe.weights
    row = published(weights) if weights not in (None, "none") else None
    if row is not None:  # the weights know pictures in this range
        return dataclasses.replace(context.image_preprocess, mean=row.mean, std=row.std)
    return context.preprocess.standardized(_sample(context))


def _sample(context: Context) -> np.ndarray:
    index = context.data.manifest.indices("train")
    return np.asarray(context.data.store.pixels[index[:: -(-len(index) // SAMPLE)]])


def loader(context: Context, part: Part, plan: Plan, *, training: bool = False, here: World | None = None) -> Loader:
    """Batches of one part of the training's pictures: shuffled and varied for training, else in order.

    With `here`, this process's share of them.
    """
    recipe, here, batch = context.recipe, here or World(), context.recipe.batch_size or 1
    return Loader(
        context.data.store.pixels,
        context.data.manifest.labels,
        context.data.manifest.indices(part),
        context.preprocess,
        batch=batch if training else max(batch, AT_ONCE),
        seed=recipe.seed if training else None,
        augment=recipe.augment if training else None,
        balanced=training and recipe.balance == "sample",
        classes=len(context.classes),
        even=training,
        least=LEAST * recipe.accumulate * here.size,
        device=plan.device,
        rank=here.rank,
        size=here.size,
    )

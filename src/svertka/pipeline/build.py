"""What a training is built of: its network, how its pictures are normalized, its batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from svertka import zoo
from svertka.blocks import Net, measure_whitening
from svertka.common.torchrun import World
from svertka.data.loading.loader import Loader
from svertka.errors import SvertkaError, UnknownName, UsageError
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.pipeline.context import Job
from svertka.training.recipe import Recipe
from svertka.training.schedules.progressive_resizing import SIZES, resized
from svertka.zoo.weights.catalog import load_weights, published

SOME = 2000  # training pictures that say enough of all of them
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


def first_net(job: Job) -> Net:
    """The network at the start: fresh, or with the weights that were asked for.

    Raises:
        UsageError: weights were asked for, but not for a network of the zoo.
    """
    recipe, classes = job.recipe, len(job.manifest.classes)
    if job.start is not None:
        net = job.start.net
        with torch.inference_mode():
            width = net.embed(torch.zeros(1, *job.preprocess.shape)).shape[1]
        return job.start.with_head(recipe.head or "linear", width, classes)
    if recipe.weights in (None, "none"):
        return fresh_net(recipe.net, job.preprocess, classes, _some(job))
    try:
        return load_weights(
            recipe.net, recipe.weights, classes=classes, channels=job.preprocess.channels, drop_head=True
        )
    except UnknownName:
        if recipe.net in zoo.variants():
            raise
        raise UsageError(
            f"--weights needs a network of the zoo by name, not {recipe.net!r}; see `svertka nets`."
        ) from None


def fresh_net(name: str, preprocess: Preprocess, classes: int, pixels: np.ndarray) -> Net:
    """A network by name or notation; what it measures instead of learning, it measures on uint8 (k, h, w, c)."""
    net = zoo.make(name, preprocess.shape, classes)
    measure_whitening(net, preprocess.normalize(pixels))
    return net


def with_statistics(job: Job) -> Preprocess:
    """The preprocessing with mean and deviation of each channel: of the training pictures, or as the weights want."""
    if job.start is not None:
        return job.preprocess
    row = published(job.recipe.weights) if job.recipe.weights not in (None, "none") else None
    if row is not None:  # the weights know pictures in this range
        return dataclasses.replace(job.preprocess, mean=row.mean, std=row.std)
    return job.preprocess.standardized(_some(job))


def _some(job: Job) -> np.ndarray:
    index = job.manifest.indices("train")
    return np.asarray(job.store.pixels[index[:: -(-len(index) // SOME)]])


def loader(job: Job, part: str, plan: Plan, *, training: bool = False, here: World | None = None) -> Loader:
    """Batches of one part of the job's pictures: shuffled and varied for training, else in order.

    With `here`, this process's share of them.
    """
    recipe, here = job.recipe, here or World()
    return Loader(
        job.store.pixels,
        job.manifest.labels,
        job.manifest.indices(part),
        job.preprocess,
        batch=recipe.batch_size if training else max(recipe.batch_size, AT_ONCE),
        seed=recipe.seed if training else None,
        augment=recipe.augment if training else None,
        balanced=training and recipe.balance == "sample",
        classes=len(job.manifest.classes),
        full=training,
        device=plan.device,
        rank=here.rank,
        size=here.size,
    )

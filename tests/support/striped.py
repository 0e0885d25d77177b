"""A tiny task for tests of the loop: lines that lie and lines that stand, in noise."""

import numpy as np
import torch

from svertka import Recipe, zoo
from svertka.data import Augment, Loader
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.training import loop

PREPROCESS = Preprocess(10, 10, 1)
RECIPE = Recipe(
    net="small",
    epochs=3,
    batch_size=16,
    optimizer="nesterov",
    learning_rate=0.05,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ema_decay=0.0,
)
PLAIN = "conv3-4 relu maxpool2 flatten fc8 relu fc"  # no batch norm: the order of sums is all that pieces change


def striped(n=96, seed=0):
    """Pictures of two classes: uint8 (n, 10, 10, 1) and labels (n,)."""
    g = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    pixels = g.integers(0, 90, (n, 10, 10, 1), dtype=np.uint8)
    for k in range(n):
        place = g.integers(0, 10)
        pixels[k, place, :] += 160 * (1 - labels[k]).astype(np.uint8)
        pixels[k, :, place] += 160 * labels[k].astype(np.uint8)
    return pixels, labels


def loaders(recipe=RECIPE, n=96):
    """Three quarters to learn from, one to judge by."""
    pixels, labels = striped(n)
    index = np.arange(n)
    how = Augment(shift=0.1, untouched=0.1)
    train = Loader(
        pixels,
        labels,
        index[: n * 3 // 4],
        PREPROCESS,
        batch=recipe.batch_size,
        seed=recipe.seed,
        augment=how,
        even=True,
    )
    return train, Loader(pixels, labels, index[n * 3 // 4 :], PREPROCESS, batch=64)


def fresh(recipe=RECIPE, net="small"):
    """A state that has learned nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return loop.begin(zoo.make(net, PREPROCESS.shape, 2), recipe, Plan())


def trained(recipe=RECIPE, net="small", **sizes):
    """The state after the whole recipe, and the records on the way."""
    state, (train, validation) = fresh(recipe, net), loaders(recipe, **sizes)
    return state, list(loop.fit(state, train, validation, recipe, Plan()))


def weights(state):
    """A copy of all tensors of the network."""
    return {k: v.clone() for k, v in state.net.state_dict().items()}


def same(a, b):
    """Whether they are equal to the bit."""
    return all(torch.equal(a[k], b[k]) for k in a)

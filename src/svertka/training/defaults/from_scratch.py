"""What the recipe leaves open is chosen from the data, and every choice is written down with its reason."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from svertka.optimizers.registry import OPTIMIZERS
from svertka.training.recipe import Recipe

GLYPH = 40  # up to this side, pictures keep their size
GROWN = 24  # from this side on, training begins with smaller pictures
STOCK = ("small", "medium", "large")  # networks that take any size
WIDER = {"medium": "large"}  # what a network gives way to where far more time is given than it can use
AMPLE = 75  # passes over whole pictures from which that is so: the wider one, four times as dear, gets 25 that grow
MANY = 30  # passes over color pictures, however few there are: with 56 training was at 100 % from the 33rd on (LOG.md)
SLOWER = 2  # passes of another optimizer, or another network, for each of a stock network by Muon (LOG.md)
PLENTY = 20_000  # pictures that a wider network pays for
SIDES = (64, 96, 128, 160)  # sizes that larger pictures are brought to when training from scratch


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the data before the first step.

    side is the median of the pictures' shorter sides, aspect the median of longer by shorter.
    """

    training: int
    classes: int
    side: int
    aspect: float
    color: bool


def choose_size(recipe: Recipe, facts: Facts) -> tuple[Recipe, dict[str, str]]:
    """Fill in what must be known before pictures are decoded: size and fit."""
    choices: dict[str, tuple[Any, str]] = {}
    if facts.side <= GLYPH:
        choices["size"] = facts.side, f"the pictures are small: their own {facts.side} pixels are kept"
    else:
        side = max([s for s in SIDES if s <= facts.side], default=SIDES[0])
        side = min(side, 96 if facts.training < 2000 else 128)
        choices["size"] = (
            side,
            f"from scratch on {facts.training:,} pictures, detail beyond {side} pixels costs more than it gives",
        )
    if facts.aspect > 2:
        choices["fit"] = "pad", f"the pictures are long ({facts.aspect:.1f} to 1): borders keep the whole of them"
    elif facts.aspect > 1.02:
        choices["fit"] = "crop", "the shorter side is fitted and the middle kept, so that shapes are not distorted"
    else:
        choices["fit"] = "stretch", "the pictures are square"
    return _fill(recipe, choices)


def choose_rest(recipe: Recipe, facts: Facts) -> tuple[Recipe, dict[str, str]]:
    """Fill in everything else: network, length, optimizer, regularization, augmentation."""
    n, size = facts.training, recipe.size or facts.side
    choices: dict[str, tuple[Any, str]] = {}
    choices["net"] = _net(size, facts)
    choices["weights"] = "none", "nothing is fetched unasked: training starts from scratch"
    choices["freeze"] = _freeze(recipe)
    choices["batch_size"] = _batch(n)
    choices["optimizer"] = _optimizer(recipe)
    optimizer = recipe.optimizer or choices["optimizer"][0]
    choices["epochs"] = _epochs(facts, _slow(recipe, recipe.net or choices["net"][0], optimizer))
    choices["learning_rate"] = _rate(optimizer, recipe.batch_size or choices["batch_size"][0])
    choices["momentum"] = OPTIMIZERS[optimizer].momentum
    choices["layer_decay"] = _layer_rate(recipe)
    choices["weight_decay"] = OPTIMIZERS[optimizer].weight_decay
    choices["grow"] = _grow(recipe, recipe.net or choices["net"][0], size)
    choices["label_smoothing"] = 0.1, "keeps the network from betting everything on one class (arXiv:1512.00567)"
    choices["ema_decay"] = 0.0, "the one-cycle schedule ends at rate zero, which averages already"
    if facts.color:
        choices["flip_horizontal"] = True, "color photographs keep their meaning when mirrored"
        choices["test_flip"] = (
            recipe.get("flip_horizontal") is not False,
            "a picture and its mirror image are two looks at one thing",
        )
        choices["shift"] = 0.1, "objects of photographs are not all centered"
        choices["scale"] = (0.2, "objects come near and far") if size > GLYPH else (0.0, "the pictures are small")
    else:
        choices["flip_horizontal"] = False, "gray pictures may be signs, which mirroring turns into others"
        choices["test_flip"] = bool(recipe.get("flip_horizontal")), "as training does"
        choices["shift"] = 2.01 / 28, "signs are not all centered to the pixel"
        choices["scale"] = 0.0, "whole-pixel shifts need no resampling"
    choices["rotate"] = 0.0, "not every class keeps its meaning when turned"
    choices["random_erasing"] = 0.0, "not needed at this length"
    return _fill(recipe, choices)


def widen(recipe: Recipe, chosen: Collection[str], fit: float) -> tuple[Recipe, dict[str, str]]:
    """A wider network, and what keeps it from learning its pictures by heart, where the time allows.

    Args:
        recipe: filled in.
        chosen: fields of it that nobody asked for; no other is changed.
        fit: passes of its network over pictures of full size that fit into the time.
    """
    wider = WIDER.get(recipe.net or "")
    if wider is None or "net" not in chosen or fit < AMPLE:
        return recipe, {}
    reasons = {"net": f"{fit:.0f} passes of `{recipe.net}` would fit: fewer of a wider network teach more (LOG.md)"}
    changes: dict[str, Any] = {"net": wider}
    if "random_erasing" in chosen:
        changes["random_erasing"], reasons["random_erasing"] = (
            0.4,
            "a wide network learns its pictures by heart otherwise (arXiv:1708.04552)",
        )
    return recipe.replace(**changes), reasons


def _net(size: int, facts: Facts) -> tuple[str, str]:
    if facts.color and facts.training >= PLENTY:
        return "medium", f"{facts.training:,} color pictures are enough to teach a network of a million weights"
    if size <= GLYPH:
        return "small", f"made for pictures of {size} pixels"
    return "small", f"{facts.training:,} pictures are too few to teach a larger network from scratch"


def _optimizer(recipe: Recipe) -> tuple[str, str]:
    if recipe.weights in (None, "none"):
        return "muon", "as good in one pass as Nesterov's momentum in two or three"
    return "nesterov", "moves what is learned already no farther than its gradients say"


def _freeze(recipe: Recipe) -> tuple[str, str]:
    if recipe.weights in (None, "none"):
        return "none", "fresh weights have everything to learn"
    return "backbone", "what the weights have learned is kept; the head learns your classes"


def _layer_rate(recipe: Recipe) -> tuple[float, str]:
    if recipe.weights in (None, "none"):
        return 1.0, "fresh weights have equally much to learn everywhere"
    return 0.6, "the deeper a layer, the less of what it knows fits your classes already (arXiv:1801.06146)"


def _grow(recipe: Recipe, net: str, size: int) -> tuple[float, str]:
    if recipe.weights not in (None, "none"):
        return 0.0, "the weights know pictures of this size"
    if net not in STOCK:
        return 0.0, "not every network takes pictures of several sizes"
    if size < GROWN:
        return 0.0, "pictures this small cost little as they are"
    return 0.5, "smaller pictures cost less, and teach what is coarse as well (arXiv:2104.00298)"


def _batch(n: int) -> tuple[int, str]:
    batch = 192 if n >= 20_000 else 128 if n >= 5_000 else 64 if n >= 1_000 else 32
    return batch, f"{max(1, n // batch):,} steps a pass over {n:,} pictures"


def _slow(recipe: Recipe, net: str, optimizer: str) -> bool:
    """Muon halves the passes only where there is much for it to move and norms hold it: in the stock networks."""
    return recipe.weights in (None, "none") and not (optimizer == "muon" and net in STOCK)


def _epochs(facts: Facts, slow: bool) -> tuple[int, str]:
    if facts.color:
        epochs = min(MANY, round(30 * (1_000 / max(facts.training, 250)) ** 0.45))
    else:
        epochs = round(12 * (2_000 / max(facts.training, 250)) ** 0.75)
    epochs = max(1, min(60, epochs)) * (SLOWER if slow else 1)
    seen = epochs * facts.training
    kind = "color" if facts.color else "gray"
    return epochs, f"{seen:,} {kind} pictures seen in all: accuracy grows little beyond"


def _rate(optimizer: str, batch: int) -> tuple[float, str]:
    peak = OPTIMIZERS[optimizer].peak_from_scratch
    share = math.sqrt(batch / 256)
    return round(peak * share, 6), f"the peak that one-cycle {optimizer} bears at batch {batch}"


def _fill(recipe: Recipe, choices: dict[str, tuple[Any, str]]) -> tuple[Recipe, dict[str, str]]:
    open_ones = {k: v for k, v in choices.items() if recipe.get(k) is None}
    filled = recipe.replace(**{k: v for k, (v, _) in open_ones.items()})
    return filled, {k: reason for k, (_, reason) in open_ones.items()}

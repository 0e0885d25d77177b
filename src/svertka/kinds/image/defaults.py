"""What a recipe leaves open about pictures is chosen from the data, each choice with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from svertka.common.messages import message
from svertka.kinds.base import Choices, Get

GLYPH = 40  # up to this side, pictures keep their size
GROWN = 24  # from this side on, training begins with smaller pictures
STOCK = ("small", "medium", "large")  # networks that take any size
MANY = 30  # passes over color pictures, however few there are: with 56 training was at 100 % from the 33rd on (LOG.md)
SLOWER = 2  # passes of another optimizer, or another network, for each of a stock network by Muon (LOG.md)
PLENTY = 20_000  # pictures that a wider network pays for
SIDES = (64, 96, 128, 160)  # sizes that larger pictures are brought to when training from scratch


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the data before the first step.

    side is the median of the pictures' shorter sides, aspect the median of longer by shorter.
    """

    kind: ClassVar[str] = "image"
    training: int
    classes: int
    side: int
    aspect: float
    color: bool


def first_choices(facts: Facts, get: Get) -> Choices:
    """What must be known before pictures are decoded: size and fit."""
    found: Choices = {}
    if facts.side <= GLYPH:
        found["size"] = (
            facts.side,
            message("size.own", "the pictures are small: their own {side} pixels are kept", side=facts.side),
        )
    else:
        side = max([s for s in SIDES if s <= facts.side], default=SIDES[0])
        side = min(side, 96 if facts.training < 2000 else 128)
        found["size"] = (
            side,
            message(
                "size.detail",
                "from scratch on {n} pictures, detail beyond {side} pixels costs more than it gives",
                n=facts.training,
                side=side,
            ),
        )
    if facts.aspect > 2:
        found["fit"] = (
            "pad",
            message(
                "fit.long",
                "the pictures are long ({ratio:.1f} to 1): borders keep the whole of them",
                ratio=float(facts.aspect),
            ),
        )
    elif facts.aspect > 1.02:
        found["fit"] = (
            "crop",
            message("fit.crop", "the shorter side is fitted and the middle kept, so that shapes are not distorted"),
        )
    else:
        found["fit"] = "stretch", message("fit.square", "the pictures are square")
    return found


def choices(facts: Facts, get: Get) -> Choices:
    """Everything else: network, length, optimizer, regularization, augmentation."""
    n, size = facts.training, get("size") or facts.side
    found: Choices = {}
    found["net"] = _net(size, facts)
    found["weights"] = "none", message("weights.none", "nothing is fetched unasked: training starts from scratch")
    found["freeze"] = _freeze(get)
    found["batch_size"] = _batch(n)
    found["optimizer"] = _optimizer(get)
    optimizer = get("optimizer") or found["optimizer"][0]
    found["epochs"] = _epochs(facts, _slow(get, get("net") or found["net"][0], optimizer))
    found["layer_decay"] = _layer_rate(get)
    found["grow"] = _grow(get, get("net") or found["net"][0], size)
    found["label_smoothing"] = (
        0.1,
        message("label-smoothing", "keeps the network from betting everything on one class (arXiv:1512.00567)"),
    )
    found["ema_decay"] = 0.0, message("ema.none", "the one-cycle schedule ends at rate zero, which averages already")
    if facts.color:
        found["flip_horizontal"] = True, message("flip.color", "color photographs keep their meaning when mirrored")
        found["test_flip"] = (
            get("flip_horizontal") is not False,
            message("test-flip.color", "a picture and its mirror image are two looks at one thing"),
        )
        found["shift"] = 0.1, message("shift.color", "objects of photographs are not all centered")
        found["scale"] = (
            (0.2, message("scale.color", "objects come near and far"))
            if size > GLYPH
            else (0.0, message("scale.small", "the pictures are small"))
        )
    else:
        found["flip_horizontal"] = (
            False,
            message("flip.gray", "gray pictures may be signs, which mirroring turns into others"),
        )
        found["test_flip"] = bool(get("flip_horizontal")), message("test-flip.gray", "as training does")
        found["shift"] = 2.01 / 28, message("shift.gray", "signs are not all centered to the pixel")
        found["scale"] = 0.0, message("scale.gray", "whole-pixel shifts need no resampling")
    found["rotate"] = 0.0, message("rotate.none", "not every class keeps its meaning when turned")
    found["random_erasing"] = 0.0, message("erasing.none", "not needed at this length")
    return found


def _net(size: int, facts: Facts) -> tuple[str, str]:
    if facts.color and facts.training >= PLENTY:
        return "medium", message(
            "net.plenty", "{n} color pictures are enough to teach a network of a million weights", n=facts.training
        )
    if size <= GLYPH:
        return "small", message("net.small", "made for pictures of {size} pixels", size=size)
    return "small", message(
        "net.few", "{n} pictures are too few to teach a larger network from scratch", n=facts.training
    )


def _optimizer(get: Get) -> tuple[str, str]:
    if get("weights") in (None, "none"):
        return "muon", message("optimizer.muon", "as good in one pass as Nesterov's momentum in two or three")
    return "nesterov", message("optimizer.nesterov", "moves what is learned already no farther than its gradients say")


def _freeze(get: Get) -> tuple[str, str]:
    if get("weights") in (None, "none"):
        return "none", message("freeze.none", "fresh weights have everything to learn")
    return "backbone", message("freeze.backbone", "what the weights have learned is kept; the head learns your classes")


def _layer_rate(get: Get) -> tuple[float, str]:
    if get("weights") in (None, "none"):
        return 1.0, message("layer-decay.none", "fresh weights have equally much to learn everywhere")
    return 0.6, message(
        "layer-decay.weights",
        "the deeper a layer, the less of what it knows fits your classes already (arXiv:1801.06146)",
    )


def _grow(get: Get, net: str, size: int) -> tuple[float, str]:
    if get("weights") not in (None, "none"):
        return 0.0, message("grow.weights", "the weights know pictures of this size")
    if net not in STOCK:
        return 0.0, message("grow.net", "not every network takes pictures of several sizes")
    if size < GROWN:
        return 0.0, message("grow.small", "pictures this small cost little as they are")
    return 0.5, message("grow.half", "smaller pictures cost less, and teach what is coarse as well (arXiv:2104.00298)")


def _batch(n: int) -> tuple[int, str]:
    batch = 192 if n >= 20_000 else 128 if n >= 5_000 else 64 if n >= 1_000 else 32
    return batch, message("batch.steps", "{steps} steps a pass over {n} pictures", steps=max(1, n // batch), n=n)


def _slow(get: Get, net: str, optimizer: str) -> bool:
    """Muon halves the passes only where there is much for it to move and norms hold it: in the stock networks."""
    return get("weights") in (None, "none") and not (optimizer == "muon" and net in STOCK)


def _epochs(facts: Facts, slow: bool) -> tuple[int, str]:
    if facts.color:
        epochs = min(MANY, round(30 * (1_000 / max(facts.training, 250)) ** 0.45))
    else:
        epochs = round(12 * (2_000 / max(facts.training, 250)) ** 0.75)
    epochs = max(1, min(60, epochs)) * (SLOWER if slow else 1)
    seen = epochs * facts.training
    if facts.color:
        return epochs, message("epochs.color", "{n} color pictures seen in all: accuracy grows little beyond", n=seen)
    return epochs, message("epochs.gray", "{n} gray pictures seen in all: accuracy grows little beyond", n=seen)

"""What the report shows of a network at work, as arrays that are drawn later without torch.

    heats    where it looked in the worst mistakes: for its answer, and for the strongest other class
    inside   its first filters, the maps of its layers for one picture, what a place can see, what excites a channel
    checks   whether these explanations are true (in full albums)

The pieces are made in this order, and each only while time is left: how many pictures are explained is decided by how
long the first took. An album is a dictionary of arrays, so that a run folder can keep it and anything read it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from svertka.bundle import Model
from svertka.errors import UsageError
from svertka.explanation.heat import Heat
from svertka.explanation.methods import heats
from svertka.explanation.places import choose, find
from svertka.explanation.seeing import effective_field, exciting, feature_maps, filters, imagined, seen
from svertka.explanation.truth import deletion, insertion, randomisation

Album = dict[str, np.ndarray]

METHOD, SLOW = "grad-cam", "score-cam"
CHECKED = ("grad-cam", "guided-backprop", "integrated-gradients", SLOW)  # whose truth a full album tests, quick first
MAPS, CHANNELS = 8, 6  # shown of a layer; that patches are sought for
PATCHES, FILTERS = 6, 96  # of each channel; of the first layer
SLOWLY, TESTED = 6, 3  # pictures for the slow method; for the checks
SAMPLES = {
    SLOW: 48,
    "integrated-gradients": 16,
}  # channels; steps. Each channel and step is a pass of the whole network
GROWTH = 2.5  # a batch of twice the pictures takes at most so many times as long
STEPS, CURVE = 48, 16  # of gradient ascent; of a curve of deletion
SLOW_SHARE, DREAM_SHARE = 0.5, 0.4  # of the time left when a full album comes to its slow heats, and to its dreams


@dataclass
class Budget:
    """Seconds that may still be spent; None is no limit."""

    seconds: float | None
    begun: float = field(default_factory=time.perf_counter)

    def left(self) -> float:
        """Seconds; below zero where more was spent."""
        return float("inf") if self.seconds is None else self.seconds - (time.perf_counter() - self.begun)

    def part(self, share: float) -> Budget:
        """A share of what is left, from now on."""
        return Budget(None if self.seconds is None else share * max(0.0, self.left()))


def album(
    model: Model, pixels: np.ndarray, mistakes: Sequence[int], sample: int, *,
    seconds: float | None = None, full: bool = False, progress: Callable[[str], None] = lambda _: None,
) -> Album:  # fmt: skip
    """Look at a network at work.

    Args:
        model: given back as it was.
        pixels: uint8 (k, h, w, c), as the network takes them.
        mistakes: places in `pixels` of wrong answers, the worst first.
        sample: place in `pixels` of the picture that is followed through the layers.
        seconds: that may be spent; pieces that do not fit are left out.
        full: slow methods and checks as well.
        progress: told what is looked at next, in a few words.

    Returns:
        Arrays by name; places are those in `pixels`. `took` is how many seconds it was, and
        `allowed` those it could be.
    """
    budget = Budget(seconds)
    x = model.preprocess.normalise(pixels)
    made: Album = {}
    for piece in _pieces(model, pixels, x, mistakes, sample, budget, full, progress):
        made |= piece
        if budget.left() <= 0:
            break
    allowed = {} if seconds is None else {"allowed": np.float64(seconds)}
    return made | allowed | {"took": np.float64(time.perf_counter() - budget.begun)}


def _pieces(
    model: Model, pixels: np.ndarray, x: Tensor, mistakes: Sequence[int], sample: int, budget: Budget, full: bool,
    progress: Callable[[str], None],
) -> Iterator[Album]:  # fmt: skip
    order = [sample, *(m for m in mistakes if m != sample)]
    progress(f"where it looked in {len(order)} pictures ({METHOD})")
    yield _heats(model, pixels, x, order, METHOD, "heat", budget)
    progress("what is in its layers")
    yield _filters(model)
    yield _maps(model, x[sample : sample + 1], sample)
    yield from _fields(model, x)
    yield _exciting(model, x)
    if full:
        progress(f"where it looked, once more ({SLOW})")
        slowly = _heats(model, pixels, x, order[:SLOWLY], SLOW, "slow", budget.part(SLOW_SHARE))
        yield slowly | {"slow_channels": np.array(SAMPLES[SLOW])}
        progress("what its channels dream of")
        yield _imagined(model, budget.part(DREAM_SHARE))
        progress("whether these explanations are true")
        yield _checks(model, x[order[:TESTED]], budget)


# ---- where it looked


def _heats(
    model: Model, pixels: np.ndarray, x: Tensor, places: Sequence[int], method: str, name: str, budget: Budget
) -> Album:
    """For as many pictures as fit: maps of the answer and of the strongest other class."""
    shares = model.probabilities(pixels[list(places)])  # (k, classes)
    answers = shares.topk(min(2, shares.shape[1]), dim=1)
    maps: list[list[Heat]] = [[], []]
    size = 1
    while len(maps[0]) < len(places):
        some = range(len(maps[0]), min(len(maps[0]) + size, len(places)))
        begun = time.perf_counter()
        for found, rank in zip(maps, (0, -1), strict=True):
            asked = x[[places[k] for k in some]]
            target = answers.indices[list(some), rank]
            found += heats(model.net, asked, method, target=target, samples=SAMPLES.get(method))
        size *= 2
        if GROWTH * (time.perf_counter() - begun) > budget.left():
            break
    own, against = maps
    return {
        f"{name}_place": np.array(places[: len(own)]),
        f"{name}_target": np.array([h.target for h in own]),
        f"{name}_rival": np.array([h.target for h in against]),
        f"{name}_share": answers.values[: len(own), [0, -1]].cpu().numpy().astype(np.float32),
        f"{name}_own": _bytes(np.stack([h.values for h in own])),
        f"{name}_against": _bytes(np.stack([h.values for h in against])),
        f"{name}_layer": np.array(own[0].layer),
    }


# ---- what is in it


def _filters(model: Model) -> Album:
    try:
        return {"filters": filters(model.net)[:FILTERS]}
    except UsageError:  # a network without a convolution has none to show
        return {}


def _layers(model: Model) -> list[str]:
    """The silhouette's layers that give maps: stem and stages."""
    names = ["stem", *(f"stages.{name}" for name, _ in model.net.stages.named_children())]
    return [name for name in names if any(True for _ in find(model.net, name).children())]


def _maps(model: Model, x: Tensor, sample: int) -> Album:
    """Of each layer the channels that the picture excites most, each from its least to its most."""
    made: Album = {"maps_sample": np.array(sample)}
    names = []
    for name in _layers(model):
        maps = feature_maps(model.net, x, name)[0]  # (c, h, w)
        if maps.ndim != 3 or maps[0].size < 2:
            continue
        strongest = np.argsort(-maps.std((1, 2)), kind="stable")[:MAPS]
        low = maps[strongest].min((1, 2), keepdims=True)
        reach = maps[strongest].max((1, 2), keepdims=True) - low
        made[f"maps_{len(names)}"] = _bytes((maps[strongest] - low) / np.maximum(reach, 1e-12))
        made[f"maps_{len(names)}_channels"] = np.array([*strongest, len(maps)])  # and of how many
        names.append(name)
    return made | {"maps_layers": np.array(names, dtype=np.str_)}


def _fields(model: Model, x: Tensor) -> Iterator[Album]:
    """What the middle place of each layer can see, and of the layer that is explained, what it does see."""
    names, boxes = [], []
    for name in _layers(model):
        maps = feature_maps(model.net, x[:1], name)
        if maps.ndim == 4:
            with contextlib.suppress(UsageError):  # of a layer that runs no operation, or follows no pixels
                boxes.append(seen(model.net, model.preprocess.shape, name, tuple(n // 2 for n in maps.shape[2:])))
                names.append(name)
    yield {"field_layers": np.array(names, dtype=np.str_), "field_box": np.array(boxes, np.int64)}
    watched = choose(model.net, x[:1])
    yield {
        "field_effective": _bytes(effective_field(model.net, x[:32], watched)),
        "field_watched": np.array(watched),
    }


def _exciting(model: Model, x: Tensor) -> Album:
    """The channels of the watched layer that these pictures excite most differently, and the patches that do."""
    layer = choose(model.net, x[:1])
    channels = _telling(model, x, layer)
    try:
        found = [exciting(model.net, x.split(32), layer, channel, PATCHES) for channel in channels]
    except UsageError:  # what such a layer sees is not known, so no patch can be cut
        return {}
    return {
        "patch_layer": np.array(layer),
        "patch_channel": np.array(channels),
        "patch_place": np.array([[p.picture for p in row] for row in found]),  # (channels, patches)
        "patch_box": np.array([[p.box for p in row] for row in found]),
    }


def _telling(model: Model, x: Tensor, layer: str) -> list[int]:
    maps = feature_maps(model.net, x, layer)  # (n, c, h, w)
    peaks = maps.max((2, 3))  # (n, c)
    spread = peaks.std(0) / np.maximum(np.abs(maps).mean((0, 2, 3)), 1e-6)
    return [int(c) for c in np.argsort(-np.where(peaks.max(0) > 0, spread, -1), kind="stable")[:CHANNELS]]


# ---- full albums


def _imagined(model: Model, budget: Budget) -> Album:
    """A picture made to excite each of the first channels of the watched layer, as pixels; at least one."""
    shape = model.preprocess.shape
    layer = choose(model.net, torch.zeros(1, *shape))
    width = feature_maps(model.net, torch.zeros(1, *shape), layer).shape[1]
    made: list[np.ndarray] = []
    for channel in range(min(CHANNELS, width)):
        begun = time.perf_counter()
        made.append(imagined(model.net, shape, layer, channel, steps=STEPS))
        if time.perf_counter() - begun > budget.left():
            break
    mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (model.preprocess.mean, model.preprocess.std))
    pixels = [_bytes((picture * std + mean).clip(0, 1)).transpose(1, 2, 0) for picture in made]
    return {"imagined": np.stack(pixels), "imagined_layer": np.array(layer)}


def _checks(model: Model, x: Tensor, budget: Budget) -> Album:
    """Deletion, insertion and shuffled weights for as many methods as fit: means over the pictures."""
    rows: list[list[float]] = []
    for method in CHECKED:
        begun, samples = time.perf_counter(), SAMPLES.get(method)
        areas = [
            [test(model.net, x[k : k + 1], heat, steps=CURVE).area for test in (deletion, insertion)]
            for k, heat in enumerate(heats(model.net, x, method, samples=samples))
        ]
        shuffled = randomisation(model.net, x, method, samples=samples, repeats=1)
        rows.append([*np.mean(areas, axis=0), shuffled.similarity])
        if GROWTH * (time.perf_counter() - begun) > budget.left():
            break
    tested = np.array(CHECKED[: len(rows)])
    return {"check_method": tested, "check": np.array(rows, np.float64), "check_pictures": np.array(len(x))}


def _bytes(values: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8."""
    return (255 * values).round().astype(np.uint8)

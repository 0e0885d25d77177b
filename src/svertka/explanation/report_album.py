"""What the report shows of a network at work, as arrays that are drawn later without torch.

    heat     where it looked in the worst mistakes: for its answer, and for the strongest other class
    inside   its first filters, the maps of its layers for one picture, what a place can see, what excites a channel
    full     a slow method beside the quick one, what channels dream of, whether the explanations are true

PIECES orders them. Each gets a share of the time that is left when its turn comes, and is stopped between two passes of
the network when that is over; what it had made by then is kept, and `left_out` names what was cut. An album is a
dictionary of arrays, so that a run folder can keep it and anything read it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from svertka.common.time_budget import Budget
from svertka.errors import UsageError
from svertka.explanation.faithfulness import deletion, insertion, randomization
from svertka.explanation.feature_visualization import effective_field, fields, filters, imagined, layer_maps, within
from svertka.explanation.frozen_network import bare
from svertka.explanation.heatmap import Heat
from svertka.explanation.layers import find
from svertka.explanation.methods.registry import heats
from svertka.explanation.top_patches import Peaks, patches, peaks
from svertka.models import Model

Album = dict[str, np.ndarray]

METHOD, SLOW = "grad-cam", "score-cam"
CHECKED = ("grad-cam", "guided-backprop", "integrated-gradients", SLOW)  # whose truth a full album tests, quick first
MAPS, CHANNELS = 8, 6  # shown of a layer; that patches are sought for
ALIKE = 0.5  # correlation of two channels' peaks from which they would show the same patches
PATCHES, FILTERS = 6, 96  # of each channel; of the first layer
FIELDS, BATCH = 32, 32  # pictures that the effective field is a mean of; in a pass at most
SLOWLY, TESTED = 6, 3  # pictures for the slow method; for the checks
# channels; steps. Each channel and step is a pass of the whole network
SAMPLES = {SLOW: 48, "integrated-gradients": 16}
GROWTH = 2.5  # an answer and its rival, and a quarter for luck
STEPS, CURVE = 48, 16  # of gradient ascent; of a curve of deletion
ASKED = 20  # times at least that a piece's time is looked at, where its passes can be made so small


@dataclass
class Look:
    """An album while it is made.

    order   places in `pixels`: the picture that is followed through the layers, then mistakes, the worst first
    layers  stem and stages that give maps, with the shapes of these
    pace    seconds that a picture takes, there and back; 0 until it is known
    """

    model: Model
    pixels: np.ndarray
    x: Tensor
    order: list[int]
    progress: Callable[[str], None]
    made: Album = field(default_factory=dict)
    own: list[Heat] = field(default_factory=list)
    against: list[Heat] = field(default_factory=list)
    shares: list[np.ndarray] = field(default_factory=list)
    layers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pace: float = 0.0

    @property
    def watched(self) -> str:
        """The layer that is explained."""
        return self.own[0].layer

    def batch(self, budget: Budget) -> int:
        """Pictures in a pass that leave time to look at the clock."""
        if not self.pace or budget.seconds is None:
            return BATCH
        return max(1, min(BATCH, int(budget.left() / ASKED / self.pace)))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an album: its name in `left_out`, its share of the time left, whether only full albums have it."""

    name: str
    share: float
    full: bool
    make: Callable[[Look, Budget], None]


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
        seconds: that may be spent; what does not fit is left out.
        full: slow methods and checks as well.
        progress: told what is looked at next, in a few words.

    Returns:
        Arrays by name; places are those in `pixels`. `took` is how many seconds it was, `allowed` those it could be,
        `left_out` the names of pieces that are missing or were cut.
    """
    budget = Budget(seconds)
    order = [sample, *(m for m in mistakes if m != sample)]
    look = Look(model, pixels, model.preprocess.normalize(pixels), order, progress)
    progress(f"where it looked in {len(order)} pictures ({METHOD})")
    _heat(look, 1)  # the one thing that no budget takes away
    left_out: list[str] = []
    pieces = [piece for piece in PIECES if full or not piece.full]
    for piece in pieces:
        part = budget.part(1.0 if piece is pieces[-1] else piece.share)
        if part.allows(0.0):
            piece.make(look, part)
        if part.cut and piece.name not in left_out:
            left_out.append(piece.name)
    if len(look.own) == len(order) and "heat" in left_out:
        left_out.remove("heat")  # it had a second turn
    times = {} if seconds is None else {"allowed": np.array(seconds)}
    times |= {"took": np.array(budget.spent()), "left_out": np.array(left_out, dtype=np.str_)}
    return _heated(look) | look.made | times


# ---- where it looked


def _heat(look: Look, count: int) -> None:
    """Explain the next `count` pictures: the answer, and the strongest other class."""
    some = look.order[len(look.own) : len(look.own) + count]
    started = time.perf_counter()
    answers = look.model.probabilities(look.pixels[some]).topk(min(2, len(look.model.classes)), dim=1)
    found = [
        heats(look.model.net, look.x[some], METHOD, target=answers.indices[:, rank], batch=count) for rank in (0, -1)
    ]
    for kept, new in zip((look.own, look.against), found, strict=True):
        kept += new
    look.shares += list(answers.values[:, [0, -1]].cpu().numpy().astype(np.float32))
    look.pace = (time.perf_counter() - started) / (2 * len(some))


def _heats(look: Look, budget: Budget) -> None:
    size = 2
    with budget.over(bare(look.model.net)):
        while len(look.own) < len(look.order):
            size = min(size, len(look.order) - len(look.own), BATCH)
            if not budget.allows(GROWTH * look.pace * size):
                break
            _heat(look, size)
            size *= 2


def _heated(look: Look) -> Album:
    own, against = look.own, look.against
    return {
        "heat_place": np.array(look.order[: len(own)]),
        "heat_target": np.array([h.target for h in own]),
        "heat_rival": np.array([h.target for h in against]),
        "heat_share": np.stack(look.shares),
        "heat_own": _bytes(np.stack([h.values for h in own])),
        "heat_against": _bytes(np.stack([h.values for h in against])),
        "heat_layer": np.array(look.watched),
    }


# ---- what is in it


def _filters(look: Look, _: Budget) -> None:
    with contextlib.suppress(UsageError):  # a network without a convolution has none to show
        look.made["filters"] = filters(look.model.net)[:FILTERS]


def _maps(look: Look, budget: Budget) -> None:
    """Of each layer of the silhouette the channels that the picture excites most, each from its least to its most."""
    look.progress("what is in its layers")
    net, sample = look.model.net, look.order[0]
    names = ["stem", *(f"stages.{name}" for name, _ in net.stages.named_children())]
    names = [name for name in names if any(True for _ in find(net, name).children())]
    with budget.over(bare(net)):
        found = layer_maps(net, look.x[sample : sample + 1], names)
        look.layers = {name: maps.shape for name, maps in found.items() if maps.ndim == 4}
        shown = [name for name, shape in look.layers.items() if shape[2] * shape[3] > 1]
        for k, name in enumerate(shown):
            maps = found[name][0]  # (c, h, w)
            strongest = np.argsort(-maps.std((1, 2)), kind="stable")[:MAPS]
            low = maps[strongest].min((1, 2), keepdims=True)
            reach = maps[strongest].max((1, 2), keepdims=True) - low
            look.made[f"maps_{k}"] = _bytes((maps[strongest] - low) / np.maximum(reach, 1e-12))
            look.made[f"maps_{k}_channels"] = np.array([*strongest, len(maps)])  # and of how many
        look.made |= {"maps_sample": np.array(sample), "maps_layers": np.array(shown, dtype=np.str_)}


def _fields(look: Look, budget: Budget) -> None:
    """What the middle place of each layer can see, and of the layer that is explained, what it does see."""
    net, shape = look.model.net, look.model.preprocess.shape
    names, boxes = [], []
    with budget.over(bare(net)):
        for name, views in fields(net, shape, list(look.layers)).items():
            if views is not None:  # else it follows no pixels
                names.append(name)
                boxes.append(within(views, shape[1:], tuple(n // 2 for n in look.layers[name][2:])))
        some = look.x[: min(FIELDS, look.batch(budget) * ASKED // 2)]
        effective = effective_field(net, some, look.watched)
        look.made |= {"field_layers": np.array(names, dtype=np.str_), "field_box": np.array(boxes, np.int64)}
        look.made |= {"field_effective": _bytes(effective), "field_watched": np.array(look.watched)}


def _exciting(look: Look, budget: Budget) -> None:
    """The channels of the watched layer that these pictures excite most differently, and the patches that do."""
    net = look.model.net
    with budget.over(bare(net)), contextlib.suppress(UsageError):  # what such a layer sees may not be known
        found = peaks(net, look.x.split(look.batch(budget)), look.watched)
        if found is None:
            return
        channels = _telling(found)
        rows = patches(net, found, look.watched, channels, PATCHES)
        look.made |= {
            "patch_layer": np.array(look.watched),
            "patch_channel": np.array(channels),
            "patch_place": np.array([[p.picture for p in row] for row in rows]),  # (channels, patches)
            "patch_box": np.array([[p.box for p in row] for row in rows]),
        }


def _telling(found: Peaks) -> list[int]:
    spread = found.value.std(0) / np.maximum(found.mean, 1e-6)
    order: list[int] = np.argsort(-np.where(found.value.max(0) > 0, spread, -1), kind="stable").tolist()
    if len(found.value) < 3:  # too few to tell which are alike
        return order[:CHANNELS]
    likeness = np.abs(np.corrcoef(found.value + 1e-9 * np.arange(len(found.value))[:, None], rowvar=False))
    chosen: list[int] = []
    for channel in order:
        if len(chosen) < CHANNELS and (not chosen or likeness.reshape(-1, len(order))[channel, chosen].max() < ALIKE):
            chosen.append(channel)
    return (chosen + [c for c in order if c not in chosen])[:CHANNELS]


# ---- full albums


def _slow(look: Look, budget: Budget) -> None:
    """The slow method's heat for the answers of the first pictures, one picture at a time."""
    look.progress(f"where it looked, once more ({SLOW})")
    found: list[Heat] = []
    with budget.over(bare(look.model.net)):
        for place, known in zip(look.order[:SLOWLY], look.own, strict=False):
            x = look.x[place : place + 1]
            found += heats(
                look.model.net, x, SLOW, target=known.target, samples=SAMPLES[SLOW], batch=look.batch(budget)
            )
    if found:
        look.made |= {
            "slow_place": np.array(look.order[: len(found)]),
            "slow_target": np.array([h.target for h in found]),
            "slow_own": _bytes(np.stack([h.values for h in found])),
            "slow_channels": np.array(SAMPLES[SLOW]),
        }


def _imagined(look: Look, budget: Budget) -> None:
    """A picture made to excite each channel whose patches are shown (else of the first ones), as pixels."""
    look.progress("what its channels dream of")
    net, preprocess, made = look.model.net, look.model.preprocess, list[np.ndarray]()
    channels: list[int] = []
    with budget.over(bare(net)):
        width = layer_maps(net, look.x[:1], [look.watched])[look.watched].shape[1]
        channels = look.made.get("patch_channel", np.arange(min(CHANNELS, width))).tolist()
        for channel in channels:
            made.append(imagined(net, preprocess.shape, look.watched, channel, steps=STEPS))
    if made:
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (preprocess.mean, preprocess.std))
        pixels = [_bytes((picture * std + mean).clip(0, 1)).transpose(1, 2, 0) for picture in made]
        look.made |= {"imagined": np.stack(pixels), "imagined_channel": np.array(channels[: len(made)])}


def _checks(look: Look, budget: Budget) -> None:
    """Deletion, insertion and shuffled weights for as many methods as fit: means over the pictures."""
    look.progress("whether these explanations are true")
    net, x, batch = look.model.net, look.x[look.order[:TESTED]], look.batch(budget)
    rows: list[list[float]] = []
    with budget.over(bare(net)):
        for method in CHECKED:
            own = heats(net, x, method, samples=SAMPLES.get(method), batch=batch)
            areas = [
                [test(net, x[k : k + 1], heat, steps=CURVE, batch=batch).area for test in (deletion, insertion)]
                for k, heat in enumerate(own)
            ]
            shuffled = randomization(net, x, method, samples=SAMPLES.get(method), repeats=1, batch=batch, own=own)
            rows.append([*np.mean(areas, axis=0), shuffled.similarity])
    if rows:
        tested = np.array(CHECKED[: len(rows)])
        look.made |= {"check_method": tested, "check": np.array(rows, np.float64), "check_pictures": np.array(len(x))}


PIECES = (
    Piece("heat", 0.4, False, _heats),
    Piece("filters", 1.0, False, _filters),
    Piece("maps", 0.4, False, _maps),
    Piece("fields", 0.4, False, _fields),
    Piece("patches", 0.5, False, _exciting),
    Piece("heat", 0.4, False, _heats),  # what the others have left over; of a full album a part
    Piece("slow", 0.4, True, _slow),
    Piece("dreams", 0.4, True, _imagined),
    Piece("checks", 1.0, True, _checks),
)


def _bytes(values: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8."""
    return (255 * values).round().astype(np.uint8)

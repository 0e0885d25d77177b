"""How far pictures may change before a model errs: accuracy against the strength of one change at a time.

Changes are made on the pixels that the network gets, with the operations of augmentation but at a stated strength
instead of a random one; turns and shifts go one way and the other, picture by picture in turn. JPEG is Pillow's, at the
network's size. A change is said to matter from the first strength at which the whole interval of accuracy lies below
that of the pictures as they are (Wilson, 95 %).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from svertka.common.time_budget import Budget, OutOfTime
from svertka.evaluation import wilson
from svertka.kinds.image.augment import geometric, photometric
from svertka.models import Model
from svertka.records import CorruptionsTried, Interval, Watch, silent

MOST = 2000  # pictures that are changed; more are thinned out evenly
LEAST = 100  # pictures that are changed, where there are so many, though not all kinds of change fit then
SECONDS = 60.0  # that it may take; a slow network is tried on fewer pictures
BATCH, PACE = 256, 8  # pictures in a batch, and in the ones that show how long they take
CAREFUL = 0.75  # share of the time that is planned for: a machine may become slower
ASKED = 100  # times at least that the clock is looked at, where batches can be made so small
NOISE = 7  # seed of the noise

# uint8 (n, h, w, c), strength -> the same, changed
Change = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change: `strengths` from weak to strong, in `unit`; `change` makes it."""

    unit: str
    strengths: tuple[float, ...]
    change: Change


def _bytes(x: Tensor) -> Tensor:
    """Float (n, c, h, w) -> uint8 (n, h, w, c)."""
    return x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _planes(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def _both_ways(n: int, strength: float) -> Tensor:
    return strength * (1 - 2.0 * (torch.arange(n) % 2))


def _moved(
    pixels: Tensor, turn: Tensor | None = None, right: Tensor | None = None, down: Tensor | None = None
) -> Tensor:
    one, none = torch.ones(len(pixels)), torch.zeros(len(pixels))
    turn, right, down = (none if t is None else t for t in (turn, right, down))
    whole = geometric.Moves(one, one, right, down, turn, one, one, none, none, (one, one, none, none))
    return _bytes(geometric.resample(pixels.float(), *geometric.lines(whole, *pixels.shape[1:3])))


def rotated(pixels: Tensor, degrees: float) -> Tensor:
    """Turned about the center, every other picture the other way; edges are continued."""
    return _moved(pixels, turn=torch.deg2rad(_both_ways(len(pixels), degrees)))


def shifted(pixels: Tensor, share: float) -> Tensor:
    """Moved by this share of the side, across and down, every other picture the other way; edges are continued."""
    _, h, w, _ = pixels.shape
    way = _both_ways(len(pixels), share)
    return _moved(pixels, right=torch.round(way * w), down=torch.round(way * h))


def blurred(pixels: Tensor, share: float) -> Tensor:
    """A Gaussian whose standard deviation is this share of the shorter side."""
    sigma = share * min(pixels.shape[1:3])
    return _bytes(photometric.gaussian(_planes(pixels), torch.full((len(pixels),), sigma), sigma))


def noisy(pixels: Tensor, share: float) -> Tensor:
    """Gaussian noise whose standard deviation is this share of white."""
    generator = torch.Generator().manual_seed(NOISE)
    return _bytes(_planes(pixels) + 255 * share * torch.randn(_planes(pixels).shape, generator=generator))


def lighter(pixels: Tensor, factor: float) -> Tensor:
    """All values times this factor, cut off at white."""
    return _bytes(_planes(pixels) * factor)


def as_jpeg(pixels: Tensor, quality: float) -> Tensor:
    """Saved as JPEG of this quality and read again."""
    done = []
    for picture in pixels.numpy():
        gray = picture.shape[2] == 1
        file = io.BytesIO()
        Image.fromarray(picture[:, :, 0] if gray else picture).save(file, "JPEG", quality=int(quality))
        back = np.asarray(Image.open(file))
        done.append(back[:, :, None] if gray else back)
    return torch.from_numpy(np.stack(done))


KINDS: dict[str, Kind] = {
    "rotation": Kind("degrees", (5, 10, 15, 20, 30, 45), rotated),
    "shift": Kind("of the side", (0.03, 0.06, 0.1, 0.15, 0.2), shifted),
    "blur": Kind("of the side", (0.01, 0.02, 0.03, 0.05, 0.08), blurred),
    "noise": Kind("of white", (0.02, 0.05, 0.1, 0.15, 0.25), noisy),
    "darker": Kind("times", (0.8, 0.6, 0.4, 0.25, 0.15), lighter),
    "brighter": Kind("times", (1.25, 1.5, 2.0, 2.5, 3.0), lighter),
    "JPEG": Kind("quality", (75, 50, 30, 15, 8), as_jpeg),
}


def robustness(
    model: Model,
    pixels: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    *,
    seconds: float = SECONDS,
    watch: Watch = silent,
) -> dict[str, Any]:
    """Accuracy under every kind of change, at growing strengths.

    Args:
        model: what is asked.
        pixels: uint8 (n, h, w, c), prepared as the model wants them.
        index: (m,) of the pictures that take part; at most MOST of them do, and no more than `seconds` allow.
        labels: (n,) indices into the model's classes.
        seconds: what it may take; kinds that do not fit are named in "left_out".
        watch: called with `CorruptionsTried` after each kind.
    """
    budget = Budget(seconds)
    each = _pace(model, pixels, index)  # seconds a picture
    passes = 1 + sum(len(kind.strengths) for kind in KINDS.values())
    least = max(PACE, min(LEAST, int(budget.left() / 4 / each)))
    taken = min(len(index), MOST, max(least, int(CAREFUL * budget.left() / (passes * each))))
    index = index[np.arange(taken) * len(index) // taken]
    truth = torch.from_numpy(labels[index].astype(np.int64))
    size = max(1, min(BATCH, int(seconds / ASKED / each)))

    def right(change: Change, strength: float, *, whatever: bool = False) -> Interval:
        hits = 0
        for k in range(0, len(index), size):
            if not whatever:
                budget.check()
            part = torch.from_numpy(np.asarray(pixels[index[k : k + size]]))
            hits += int((model.probabilities(change(part, strength)).argmax(1) == truth[k : k + size]).sum())
        return wilson(hits, len(index))

    plain = right(lambda x, _: x, 0.0, whatever=True)
    result: dict[str, Any] = {
        "n": plain.n, "accuracy": plain.value, "low": plain.low, "high": plain.high, "kinds": {}, "left_out": [],
    }  # fmt: skip
    for number, (name, kind) in enumerate(KINDS.items()):
        try:
            shares = {strength: right(kind.change, strength) for strength in kind.strengths}
            result["kinds"][name] = _curve(name, kind, shares, plain)
        except OutOfTime:
            result["left_out"].append(name)
        watch(CorruptionsTried(number + 1, len(KINDS)))
    return result


def _curve(name: str, kind: Kind, shares: dict[float, Interval], plain: Interval) -> dict[str, Any]:
    """One kind of change as plain data: its points, and from which strength on it is surely worse."""
    falls = next((strength for strength, share in shares.items() if share.high < plain.low), None)
    return {
        "unit": kind.unit,
        "points": [{"strength": x, "accuracy": a.value, "low": a.low, "high": a.high} for x, a in shares.items()],
        "falls": falls,
        "sentence": _sentence(name, kind, falls),
    }


def _pace(model: Model, pixels: np.ndarray, index: np.ndarray) -> float:
    """Seconds for changing a picture and asking the network about it, the mean over the kinds of change."""
    some = torch.from_numpy(np.asarray(pixels[index[:PACE]]))
    model.probabilities(some)  # the first is slow
    start = time.perf_counter()
    model.probabilities(some)
    asking = time.perf_counter() - start
    start = time.perf_counter()
    for kind in KINDS.values():
        kind.change(some, kind.strengths[0])
    return (asking + (time.perf_counter() - start) / len(KINDS)) / len(some)


def _sentence(name: str, kind: Kind, falls: float | None) -> str:
    if falls is None:
        return f"{name}: no strength up to {kind.strengths[-1]:g} {kind.unit} makes it surely worse."
    return f"{name}: surely worse from {falls:g} {kind.unit} on."

"""How good something much simpler is on the same pictures: what a classifier must beat to be worth its cost.

Three rows: always the most frequent class; the nearest neighbors in color (color_baseline.py); a tiny network
on pictures of SIDE pixels, trained for a few seconds. A model that hardly beats them has hardly learned more than they
know.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from svertka import zoo
from svertka.common.time_budget import Budget
from svertka.evaluation import difference, wilson
from svertka.evaluation.errors import color_baseline
from svertka.runs.reopen import Reopened, reopen

SIDE = 16  # pixels of a side that the tiny network sees at most
TINY = "conv3-8 relu pool2 conv3-16 relu gap fc"
SECONDS = 20.0  # for all of them; a third of half of it is what the tiny network learns for
PASSES = 30
BATCH, RATE = 64, 0.01
MOST, LEAST = 50_000, 64  # training pictures that the tiny network gets; more are thinned out evenly
AT_ONCE = 2**23  # numbers of pictures that are made small at once


def baselines_of(run: str | Path, *, seconds: float = SECONDS) -> dict[str, Any]:
    """Baselines beside the model of a run, on its test part, else on validation; the data must be where they were.

    Returns {"part", "n", "model", "rows": [{"name", "n", "accuracy", "low", "high", "p"}]}; `n` of a row is below that
    of all where there was no time to ask about every picture; `p` is McNemar's, of the tiny network against the model,
    and None for the rows whose single answers are not kept.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed.
    """
    return beside(reopen(run), seconds=seconds)


def beside(run: Reopened, *, seconds: float = SECONDS) -> dict[str, Any]:
    """As `baselines_of`, of a run whose data are open."""
    part = "test" if "test" in run.answers else "validation"
    files, pixels, judged = run.files, run.store.pixels, run.answers[part].index
    classes, truth, train = len(files.classes), files.labels[judged], files.indices("train")
    right = run.answers[part].guess == truth
    model = wilson(int(right.sum()), len(truth))
    budget = Budget(seconds)
    colored = color_baseline.by_color(pixels, train, judged, files.labels, classes, budget=budget.part(0.5))
    tiny = tiny_network(pixels, files.labels, train, judged, classes, seconds=budget.left())
    known = tiny >= 0
    hits = (tiny == truth)[known]
    rows = {
        "most frequent class": (color_baseline.majority(files.labels[train], truth, classes), None),
        "nearest neighbors in color": (colored, None),
        "tiny network": (wilson(int(hits.sum()), len(hits)), difference(hits, right[known]).p),
    }
    return {
        "part": part,
        "n": len(truth),
        "model": {"n": model.n, "accuracy": model.value, "low": model.low, "high": model.high},
        "rows": [
            {"name": name, "n": a.n, "accuracy": a.value, "low": a.low, "high": a.high, "p": p}
            for name, (a, p) in rows.items()
        ],
    }


def tiny_network(
    pixels: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    judged: np.ndarray,
    classes: int,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
) -> np.ndarray:
    """What TINY answers to the pictures `judged` (m,) of (n, h, w, c) after at most `seconds` in all: (m,).

    A third of the time goes into reading each of `train` and `judged`, which are thinned out evenly where it must be;
    -1 stands where a picture was not asked about.
    """
    budget = Budget(seconds)
    most = max(LEAST, int(budget.part(1 / 3).left() / _pace(pixels, train)))
    train = _thinned(train, min(most, MOST))
    places = _thinned(np.arange(len(judged)), most)
    x, targets = _small(pixels, train), torch.from_numpy(labels[train].astype(np.int64))
    mean, deviation = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True).clamp(min=0.01)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = zoo.make(TINY, tuple(x.shape[1:]), classes)
        _learn(net, (x - mean) / deviation, targets, budget.part(0.5), seed)
    net.eval()
    found = np.full(len(judged), -1)
    with torch.inference_mode():
        for some in np.array_split(places, _pieces(pixels, len(places))):
            found[some] = net((_small(pixels, judged[some]) - mean) / deviation).argmax(1).numpy()
    return found


def _learn(net: nn.Module, x: torch.Tensor, targets: torch.Tensor, budget: Budget, seed: int) -> None:
    """PASSES over the pictures (n, c, h, w), or as many steps as the budget allows; one at least."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    net.train()
    for _ in range(PASSES):
        for chosen in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = F.cross_entropy(net(x[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if budget.left() <= 0:
                return


def _small(pixels: np.ndarray, index: np.ndarray) -> torch.Tensor:
    """Float (k, c, <= SIDE, <= SIDE), 0 to 1, each number the mean of the area that it covers."""
    parts = []
    for some in np.array_split(index, _pieces(pixels, len(index))):
        planes = torch.from_numpy(np.asarray(pixels[some])).permute(0, 3, 1, 2).float() / 255
        height, width = (min(SIDE, int(side)) for side in planes.shape[2:])
        parts.append(F.adaptive_avg_pool2d(planes, (height, width)))
    return torch.cat(parts)


def _pace(pixels: np.ndarray, index: np.ndarray) -> float:
    """Seconds that `_small` takes a picture."""
    start = time.perf_counter()
    _small(pixels, index[:LEAST])
    return (time.perf_counter() - start) / min(LEAST, len(index))


def _thinned(index: np.ndarray, most: int) -> np.ndarray:
    """At most so many of (k,), evenly."""
    return index[:: max(1, math.ceil(len(index) / most))]


def _pieces(pixels: np.ndarray, count: int) -> int:
    """In how many parts so many pictures are read, so that none is too large for memory."""
    return max(1, math.ceil(count * math.prod(pixels.shape[1:]) / AT_ONCE))

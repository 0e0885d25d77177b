"""How good something much simpler is on the same pictures: what a classifier must beat to be worth its cost.

Three rows: always the most frequent class; the nearest neighbours in colour (evaluation/baselines.py); a tiny network
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

from svertka import zoo
from svertka.evaluation import baselines, difference, wilson
from svertka.verbs.reopening import Reopened, reopen

SIDE = 16  # pixels of a side that the tiny network sees at most
TINY = "conv3-8 relu pool2 conv3-16 relu gap fc"
SECONDS = 5.0
PASSES = 30
BATCH, RATE = 64, 0.01
MOST = 50_000  # training pictures that the tiny network gets; more are thinned out evenly


def baselines_of(run: str | Path, *, seconds: float = SECONDS) -> dict[str, Any]:
    """Baselines beside the model of a run, on its test part, else on validation; the data must be where they were.

    Returns {"part", "n", "model", "rows": [{"name", "accuracy", "low", "high", "p"}]}; `p` is McNemar's, of the tiny
    network against the model, and None for the rows whose single answers are not kept.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed.
    """
    return beside(reopen(run), seconds=seconds)


def beside(run: Reopened, *, seconds: float = SECONDS) -> dict[str, Any]:
    """As `baselines_of`, of a run whose data are open."""
    part = "test" if "test" in run.answers else "validation"
    files, pixels, asked = run.files, run.store.pixels, run.answers[part].index
    classes, truth, train = len(files.classes), files.labels[asked], files.indices("train")
    right = run.answers[part].guess == truth
    model = wilson(int(right.sum()), len(truth))
    tiny = tiny_network(pixels, files.labels, train, asked, classes, seconds=seconds) == truth
    rows = {
        "most frequent class": (baselines.majority(files.labels[train], truth, classes), None),
        "nearest neighbours in colour": (baselines.by_colour(pixels, train, asked, files.labels, classes), None),
        "tiny network": (wilson(int(tiny.sum()), len(truth)), difference(tiny, right).p),
    }
    return {
        "part": part,
        "n": len(truth),
        "model": {"accuracy": model.value, "low": model.low, "high": model.high},
        "rows": [
            {"name": name, "accuracy": a.value, "low": a.low, "high": a.high, "p": p} for name, (a, p) in rows.items()
        ],
    }


def tiny_network(
    pixels: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    asked: np.ndarray,
    classes: int,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
) -> np.ndarray:
    """What TINY answers to the pictures `asked` (m,) of (n, h, w, c) after at most `seconds` of learning: (m,)."""
    begun = time.perf_counter()
    train = train[:: max(1, math.ceil(len(train) / MOST))]
    x, wanted = _small(pixels, train), torch.from_numpy(labels[train].astype(np.int64))
    mean, deviation = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True).clamp(min=0.01)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = zoo.make(TINY, tuple(x.shape[1:]), classes)
        optimiser = torch.optim.Adam(net.parameters(), RATE)
        net.train()
        for _ in range(PASSES):
            for chosen in torch.randperm(len(x), generator=generator).split(BATCH):
                loss = F.cross_entropy(net((x[chosen] - mean) / deviation), wanted[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                if time.perf_counter() - begun > seconds:
                    break
            if time.perf_counter() - begun > seconds:
                break
    net.eval()
    with torch.inference_mode():
        parts = [
            net((_small(pixels, part) - mean) / deviation).argmax(1) for part in np.array_split(asked, _pieces(asked))
        ]
    found: np.ndarray = torch.cat(parts).numpy()
    return found


def _small(pixels: np.ndarray, index: np.ndarray) -> torch.Tensor:
    """Float (k, c, <= SIDE, <= SIDE), 0 to 1, each number the mean of the area that it covers."""
    parts = []
    for some in np.array_split(index, _pieces(index)):
        planes = torch.from_numpy(np.asarray(pixels[some])).permute(0, 3, 1, 2).float() / 255
        size = [min(SIDE, int(side)) for side in planes.shape[2:]]
        parts.append(F.adaptive_avg_pool2d(planes, size))
    return torch.cat(parts)


def _pieces(index: np.ndarray) -> int:
    return max(1, -(-len(index) // 1024))

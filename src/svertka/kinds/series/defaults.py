"""What a recipe leaves open about series is chosen from the data, each choice with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from svertka.errors import ReadError
from svertka.kinds.base import Choices, Get
from svertka.kinds.series.formats import from_bytes
from svertka.kinds.series.preprocess import Preprocess

STEPS = 300  # that a network is trained for where there are few series
LEAST, MOST = 20, 150  # passes


@dataclass(frozen=True, slots=True)
class Survey:
    """How many of the files that were looked at have which (length, channels)."""

    shapes: Counter[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before the first step: the usual length, and the number of channels."""

    kind: ClassVar[str] = "series"
    side: ClassVar[int] = 0  # there are no published weights for series
    training: int
    classes: int
    length: int
    channels: int


def survey(files: Iterable[tuple[str, bytes]]) -> Survey:
    """Look at some files."""
    found = Counter[tuple[int, int]]()
    for path, data in files:
        try:
            length, channels = from_bytes(data, path).shape
        except ReadError:  # the store lists it with its reason
            continue
        found[length, channels] += 1
    return Survey(found)


def facts(survey: Survey, training: int, classes: int) -> Facts:
    """The usual shape of them."""
    (length, channels), _ = next(iter(survey.shapes.most_common(1)), ((1, 1), 0))
    return Facts(training, classes, length, channels)


def first_choices(facts: Facts, get: Get) -> Choices:
    """What must be known before series are read."""
    return {
        "size": (facts.length, "all values of the series"),
        "fit": ("stretch", "series of another length would be brought to it by --size"),
    }


def preprocess(facts: Facts, get: Get) -> Preprocess:
    """One channel: shape alone tells; several: what they are to each other tells as well."""
    length = get("size") or facts.length
    return Preprocess(length, facts.channels, resample=length != facts.length, each=facts.channels == 1)


def choices(facts: Facts, get: Get) -> Choices:
    """Everything else."""
    batch = get("batch_size") or (16 if facts.training < 1_000 else 64)
    steps = max(1, facts.training // batch)
    epochs = max(LEAST, min(MOST, STEPS // steps))
    return {
        "net": (
            "fcn1d",
            "three convolutions do well on the UCR archive, and are the quickest (arXiv:1611.06455)",
        ),
        "weights": ("none", "there are no published weights for series"),
        "freeze": ("none", "fresh weights have everything to learn"),
        "batch_size": (batch, f"{steps:,} steps a pass over {facts.training:,} series"),
        "optimizer": ("adamw", "as the networks were published"),
        "epochs": (epochs, f"{epochs * steps:,} steps: what a set of few series needs to settle"),
        "layer_decay": (1.0, "fresh weights have equally much to learn everywhere"),
        "grow": (0.0, "series are short: all of their values are seen from the start"),
        "label_smoothing": (0.1, "keeps the network from betting everything on one class (arXiv:1512.00567)"),
        "ema_decay": (0.0, "the one-cycle schedule ends at rate zero, which averages already"),
        "test_flip": (False, "a series read backwards is another one"),
        "jitter": (0.1, "the last digits of what was measured are noise"),
        "amplitude": (0.0 if facts.channels == 1 else 0.1, "how large a series is says little of its class"),
        "lag": (0.05, "events do not begin at the same moment everywhere"),
    }

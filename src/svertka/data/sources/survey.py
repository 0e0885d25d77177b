"""A first look at some files of a source, before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from svertka.data.sources.source import Source
from svertka.errors import ReadError
from svertka.kinds import kind


def survey(source: Source, sample: int = 256, seed: int = 0) -> Any:
    """What at most `sample` files, drawn by `seed`, say of themselves (`Kind.survey`); others are passed over."""
    return kind(source.sample).survey(sample_files(source, sample, seed))


def sample_files(source: Source, sample: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of at most `sample` files, drawn by `seed`, in their order; unreadable ones are passed over."""
    chosen = np.arange(len(source))
    if len(source) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(len(source), sample, replace=False))
    for i in chosen.tolist():
        try:
            data = source.read(i)
        except ReadError:
            continue
        yield source.paths[i], data

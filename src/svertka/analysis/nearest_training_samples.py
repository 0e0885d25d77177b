"""The training pictures of a run that look most alike to its network: what a prediction may be compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from svertka.explanation import embeddings, nearest
from svertka.models import Model
from svertka.runs.files import read_recipe
from svertka.runs.predictions import read_manifest
from svertka.runs.reopen import open_data, open_pictures

BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Neighbor:
    """A training picture: its path and class, how alike it is (cosine, at most 1), and its pixels (h, w, c)."""

    path: str
    label: str
    similarity: float
    pixels: np.ndarray = field(repr=False)


class Neighbors:
    """All training pictures of a run, embedded once.

    Raises:
        RunError: no run folder, or no training pictures in it.
        DataError: its data are gone or have changed.
    """

    def __init__(self, model: Model, run: str | Path) -> None:
        run = Path(run)
        self.manifest = read_manifest(run)
        source = open_data(run, read_recipe(run))
        self.store = open_pictures(run, source, model.preprocess, self.manifest)
        self.model, self.index = model, self.manifest.indices("train")
        pixels, preprocess = self.store.pixels, model.preprocess
        groups = (self.index[k : k + BATCH] for k in range(0, len(self.index), BATCH))
        self.rows = embeddings(model.net, (preprocess.normalize(np.asarray(pixels[some])) for some in groups))  # (m, d)

    def of(self, x: Tensor, count: int) -> list[tuple[Neighbor, ...]]:
        """For each input (n, channels, h, w) the `count` nearest, the most alike first."""
        numbers, similar = nearest(embeddings(self.model.net, [x]), self.rows, count)
        return [
            tuple(self._neighbor(int(self.index[k]), float(s)) for k, s in zip(own, near, strict=True))
            for own, near in zip(numbers, similar, strict=True)
        ]

    def _neighbor(self, i: int, similarity: float) -> Neighbor:
        label = self.manifest.classes[self.manifest.labels[i]]
        pixels = np.asarray(self.store.pixels[i])
        return Neighbor(str(self.manifest.paths[i]), label, round(min(1.0, similarity), 4), pixels)

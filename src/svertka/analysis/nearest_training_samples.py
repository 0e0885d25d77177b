"""The training pictures of a run that look most alike to its network: what a prediction may be compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from svertka import data as rooms
from svertka.errors import DataError, RunError
from svertka.explanation import embeddings, nearest
from svertka.models import Model
from svertka.runs import layout
from svertka.runs.run_folder import Run

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
        folder = Run.open(run)
        try:
            source = rooms.reopen_source(folder.read(layout.RECIPE)["data"])
        except (KeyError, TypeError) as why:
            raise RunError(f"{folder.path / 'recipe.json'} is damaged: {why!r}.") from why
        self.store = rooms.begin_store(source, model.preprocess).finish()
        self.manifest = rooms.Manifest.load(folder.path / layout.MANIFEST)
        if not self.manifest.matches(self.store):
            raise DataError(
                f"{source.where} has changed since {folder.path} learned from it: its neighbors cannot be shown."
            )
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

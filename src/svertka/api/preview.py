"""`preview`: what augmentation does to these pictures, before it costs you a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka import data as rooms
from svertka.common.counter_rng import mix
from svertka.data.loading.loader import Loader
from svertka.errors import DataError, ReadError, SvertkaError, UsageError
from svertka.kinds import require
from svertka.kinds.base import Augment
from svertka.kinds.image import Preprocess
from svertka.kinds.image.reader import read
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Where
from svertka.reporting.charts.contact_sheet import draw_sheet
from svertka.training.defaults import from_scratch
from svertka.training.recipe import Recipe

VERSIONS = 7  # beside the original
TRIES = 20  # files that may be unreadable before a class is passed over


@dataclass(frozen=True, slots=True)
class Preview:
    """What `preview` returns: the picture's file, the pictures shown, and the augmentation in the words of --set."""

    path: Path
    shown: tuple[str, ...]
    augmentation: str

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {"preview": str(self.path), "shown": list(self.shown), "augmentation": self.augmentation}


def preview(data: Where, *, out: str | Path | None = None, pictures: int = 8, **settings: Any) -> Preview:
    """Write a PNG of training pictures beside what augmentation makes of them in the first passes.

    Args:
        data: what `train` takes.
        out: the file to write; NAME-preview.png here, or with a number, where None.
        pictures: rows, 1 to 64, of different classes where there are enough.
        settings: fields of `Recipe`; what is left out is what `train` would choose.

    Raises:
        DataError: no usable pictures.
        UsageError: `out` exists, or a setting is wrong.
    """
    if not 1 <= pictures <= 64:
        raise UsageError(f"A preview shows 1 to 64 pictures; received {pictures}.")
    if out is not None and Path(out).exists():
        raise UsageError(f"{out} exists already and is never overwritten; name another file with --out.")
    source = rooms.open_source(data)
    recipe, _, facts, preprocess = first_choices(source, Recipe.from_dict(settings))
    require(preprocess.kind, "preview")
    recipe, _ = from_scratch.choose_rest(recipe, facts)
    index, pixels = _examples(source, preprocess, pictures, recipe.seed)
    rows = _versions(pixels, source.labels[index], preprocess, recipe.augment, recipe)
    words = recipe.augment.words
    foot = (
        f"{words}, and {recipe.augment.untouched:.0%} of the pictures untouched"
        if words
        else "none: every pass sees the originals"
    )
    titles = ["original", *(f"pass {k + 1}" for k in range(VERSIONS))]
    names = [source.classes[source.labels[i]] for i in index]
    path = write_picture(draw_sheet(rows, names, titles, [f"augmentation: {foot}"]), out, f"{source.name}-preview")
    return Preview(path, tuple(source.paths[i] for i in index), words)


def _examples(source: rooms.Source, preprocess: Preprocess, most: int, seed: int) -> tuple[list[int], np.ndarray]:
    """Readable training pictures, class after class: indices and pixels (k, h, w, c)."""
    generator = np.random.default_rng(mix(seed, 1))
    training = source.parts == 1 if (source.parts == 1).any() else source.parts == 0
    files = [generator.permutation(np.flatnonzero(training & (source.labels == k))) for k in range(len(source.classes))]
    chosen: list[int] = []
    pixels: list[np.ndarray] = []
    spread = np.linspace(0, len(files), min(most, len(files)), endpoint=False).astype(int)
    for turn in range(TRIES):
        for k in spread:
            if len(chosen) < most and turn < len(files[k]):
                i = int(files[k][turn])
                try:
                    pixels.append(read(source.read(i), preprocess, source.paths[i]))
                except ReadError:
                    continue  # `train` and `check` list it; here the next one will do
                chosen.append(i)
    if not chosen:
        raise DataError(f"None of the first training pictures of {source.where} can be read.")
    order = sorted(range(len(chosen)), key=lambda j: (source.labels[chosen[j]], j))
    return [chosen[j] for j in order], np.stack([pixels[j] for j in order])


def _versions(
    pixels: np.ndarray, labels: np.ndarray, preprocess: Preprocess, how: Augment, recipe: Recipe
) -> list[np.ndarray]:
    """For each picture the original and its versions, made by the loader that trains: (1 + VERSIONS, h, w, c) each."""
    loader = Loader(
        pixels, labels, np.arange(len(pixels)), preprocess, batch=len(pixels), seed=recipe.seed, augment=how
    )
    made = [loader.varied(torch.arange(len(pixels)), epoch)[0].numpy() for epoch in range(VERSIONS)]
    return list(np.stack([pixels, *made], axis=1))


def write_picture(png: bytes, out: str | Path | None, name: str) -> Path:
    """Write a new PNG file: `out`, or NAME.png here, with a number where that is taken.

    Raises:
        UsageError: `out` exists.
        SvertkaError: it cannot be written.
    """
    path, number = Path(out if out is not None else f"{name}.png"), 1
    while True:
        try:
            with path.open("xb") as file:
                file.write(png)
            return path
        except FileExistsError:
            if out is not None:
                raise UsageError(
                    f"{path} exists already and is never overwritten; name another file with --out."
                ) from None
            number += 1
            path = Path(f"{name}-{number}.png")
        except OSError as why:
            raise SvertkaError(f"{path} cannot be written: {(why.strerror or str(why)).lower()}.") from why

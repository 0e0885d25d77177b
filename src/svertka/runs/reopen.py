"""From a run back to its data: what it learned from, as it saw it, and what judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import to_builtins

from svertka import data as rooms
from svertka.common.text import shorten
from svertka.data.prepare import decode
from svertka.errors import DataError, RunError
from svertka.kinds.base import Preprocess
from svertka.runs import layout
from svertka.runs.files import as_preprocess, read_recipe
from svertka.runs.predictions import Predictions, read_manifest, required_predictions
from svertka.runs.records import RecipeFile

LONGEST = 280  # letters of a message about a place that the run names


@dataclass(frozen=True, slots=True)
class Reopened:
    """A run's manifest, its answers by part ("test" and "validation", one of them at least), and its pictures."""

    files: rooms.Manifest
    answers: Mapping[str, Predictions]
    store: rooms.Store


def reopen(run: str | Path) -> Reopened:
    """Open what a run learned from, where its recipe.json says, as the run saw it.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed, or no picture judged the run.
    """
    run = Path(run)
    recipe, manifest = read_recipe(run), read_manifest(run)
    answers = required_predictions(run, manifest)
    if not answers:
        raise DataError(f"{run} holds no predictions, so there is nothing to hold them against.")
    source = open_data(run, recipe, least_classes=1)
    return Reopened(manifest, answers, open_pictures(run, source, prepared(run, recipe), manifest))


def open_data(run: Path, recipe: RecipeFile, *, least_classes: int = 2, group_by: str | None = None) -> rooms.Source:
    """The source that recipe.json names.

    Raises:
        RunError: it names none.
        DataError: it is gone.
    """
    if not recipe.data.places and recipe.data.where is None:
        raise RunError(f"{run / layout.RECIPE} is damaged: `data` does not say what the run learned from.")
    try:
        return rooms.reopen_source(to_builtins(recipe.data), least_classes=least_classes, group_by=group_by)
    except (ValueError, OSError) as why:  # no name that a file can have
        raise RunError(f"{run / layout.RECIPE} is damaged: `data` cannot be opened ({shorten(str(why))}).") from why
    except DataError as why:
        if len(str(why)) > LONGEST:
            raise DataError(shorten(str(why), LONGEST)) from why
        raise


def prepared(run: Path, recipe: RecipeFile) -> Preprocess:
    """How the pictures of a run became input, as recipe.json says.

    Raises:
        RunError: it does not.
    """
    found: Preprocess = as_preprocess(recipe.preprocess, run / layout.RECIPE)
    return found


def open_pictures(run: Path, source: rooms.Source, preprocess: Preprocess, manifest: rooms.Manifest) -> rooms.Store:
    """The pictures of a run, prepared as `preprocess` says; decoded again where the cache does not hold them.

    Raises:
        DataError: they are not those that the run saw.
    """
    if len(source) != len(manifest):
        raise DataError(
            f"{source.where} has changed since {run} was made: {len(source):,} pictures, not {len(manifest):,}."
        )
    store = decode(source, preprocess)
    if not manifest.matches(store):
        raise DataError(f"{source.where} has changed since {run} was made: its pictures are others now.")
    return store

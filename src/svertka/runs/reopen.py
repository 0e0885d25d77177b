"""A finished run with its data again: what judged it, and the pixels that it saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svertka import data as rooms
from svertka.errors import DataError, RunError
from svertka.kinds.image import Preprocess
from svertka.runs import layout
from svertka.runs.predictions import Answers, read_answers
from svertka.runs.run_folder import Run


@dataclass(frozen=True, slots=True)
class Reopened:
    """A run's manifest, its answers by part ("test" and "validation", one of them at least), and its pictures."""

    files: rooms.Manifest
    answers: dict[str, Answers]
    store: rooms.Store


def reopen(run: str | Path) -> Reopened:
    """Open what a run learned from, where its recipe.json says, as the run saw it.

    Raises:
        RunError: it is no finished run.
        DataError: the data are gone or have changed, or no picture judged the run.
    """
    folder = Run.open(run)
    answers = read_answers(folder.path)
    if not answers:
        raise DataError(f"{run} holds no predictions, so there is nothing to hold them against.")
    told, files = folder.read(layout.RECIPE), next(iter(answers.values())).manifest
    try:
        source, preprocess = (
            rooms.reopen_source(told["data"], least_classes=1),
            Preprocess.from_dict(told["preprocess"]),
        )
    except (KeyError, TypeError) as why:
        raise RunError(f"{folder.path / 'recipe.json'} does not say what {run} learned from: {why!r}.") from why
    if len(source) != len(files):
        raise DataError(
            f"{source.where} has changed since {run} was made: {len(source):,} pictures, not {len(files):,}."
        )
    store = rooms.begin_store(source, preprocess).finish()
    if not files.matches(store):
        raise DataError(f"{source.where} has changed since {run} was made: its pictures are others now.")
    return Reopened(files, answers, store)

"""`check`: what is wrong with the data, before it costs you."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka import data as rooms
from svertka.signals import Preprocess
from svertka.training import auto
from svertka.training.recipe import Recipe
from svertka.verbs.job import Watch, silent

if TYPE_CHECKING:
    from svertka.audit import Audit


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` returns: the findings, and the pictures themselves for whoever wants to look."""

    audit: Audit
    source: rooms.Source
    store: rooms.Store
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {**self.audit.to_dict(), "seconds": round(self.seconds, 3)}


def check(data: str | Path, *, watch: Watch = silent) -> Checked:
    """Look for what is wrong with labelled pictures: unreadable files, copies, leaks, odd pictures, shortcuts.

    Every file is decoded as `train` would, into the same store, so that a training afterwards starts at once.

    Args:
        data: what `train` takes.
        watch: called with ("read", (done, total)) as files are decoded.

    Raises:
        DataError: there is nothing to check.
    """
    begun = time.perf_counter()
    source = rooms.open_source(data, least_classes=1)
    _, preprocess = usual_preparation(source, Recipe())
    with rooms.begin_store(source, preprocess) as reading:
        from svertka.audit import audit  # beside the decoding

        store = reading.finish(lambda done, total: watch("read", (done, total)))
    return Checked(audit(source, store), source, store, time.perf_counter() - begun)


def usual_preparation(source: rooms.Source, recipe: Recipe) -> tuple[auto.Facts, Preprocess]:
    """How `train` would bring these pictures to one size."""
    survey = rooms.survey(source)
    told = int((source.parts == 1).sum()) or int((source.parts == 0).sum()) or len(source)
    facts = auto.Facts(told, len(source.classes), survey.side, survey.aspect, survey.colour)
    recipe, _ = auto.choose_size(recipe, facts)
    return facts, Preprocess(recipe.size or facts.side, recipe.size or facts.side, 3 if survey.colour else 1, recipe.fit or "crop")

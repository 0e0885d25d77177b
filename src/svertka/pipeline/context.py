"""What the steps of a training hand to each other, and what comes out. No torch: it is made while torch is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka.errors import NotFinite, TrainingError
from svertka.kinds import image
from svertka.kinds.base import Preprocess
from svertka.records import LoopRecord, Note, Watch, plain
from svertka.runs.run_folder import Run
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe

if TYPE_CHECKING:
    from svertka.data.prepare import Dataset
    from svertka.training.defaults.from_scratch import Facts
    from svertka.transfer.backbones import Backbone

Where = str | Path | Sequence[str | Path]  # what `open_source` takes: one place, or several


@dataclass
class Journal:
    """What is told of a training, to whoever watches and to the run folder; and the sentences for its report."""

    run: Run
    watch: Watch
    notes: list[str] = field(default_factory=list)

    def log_note(self, sentence: str) -> None:
        """Tell the person now and the report later."""
        self.watch(Note(sentence))
        if sentence in self.notes:  # a run that was killed says again what it had said
            return
        self.notes.append(sentence)
        self.run.log({"kind": "note", "text": sentence})


@dataclass(frozen=True)
class Context:
    """One training, as far as it is known. It never changes: each step hands on a copy that says more.

    facts      of the data before they were decoded; None where nothing is left to choose
    options    fields of the plan that the person has set
    backbones  the networks with weights that it starts from; none where it starts from scratch
    resumed    recipe.json of the run that goes on; None for a new one
    """

    journal: Journal
    data: Dataset
    preprocess: Preprocess
    recipe: Recipe
    reasons: Mapping[str, str]
    clock: Clock
    command: str
    read_seconds: float = 0.0
    facts: Facts | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    backbones: tuple[Backbone, ...] = ()
    resumed: Mapping[str, Any] | None = None

    def replace(self, **changes: Any) -> Context:
        """The same with other values."""
        return dataclasses.replace(self, **changes)

    def choose(self, choice: tuple[Recipe, Mapping[str, str]]) -> Context:
        """With a recipe that says more, and the reasons for what it says."""
        recipe, reasons = choice
        return self.replace(recipe=recipe, reasons={**self.reasons, **reasons})

    @property
    def run(self) -> Run:
        """The run folder."""
        return self.journal.run

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by their index."""
        return self.data.manifest.classes

    @property
    def image_preprocess(self) -> image.Preprocess:
        """Of pictures: they alone have published weights, and sizes that may grow."""
        if not isinstance(self.preprocess, image.Preprocess):
            raise TypeError(f"{self.preprocess.kind} has no size of pictures")
        return self.preprocess

    @property
    def on_ladder(self) -> bool:
        """Whether a frozen network is the start; else the usual loop trains what `freeze` leaves open."""
        return bool(self.backbones) and not leaves_ladder(self.recipe)

    @property
    def start(self) -> Backbone | None:
        """The network that the usual loop goes on from, where it is not fresh."""
        return self.backbones[0] if self.backbones and not self.on_ladder else None

    def note(self, sentence: str) -> None:
        """Tell the person now and the report later."""
        self.journal.log_note(sentence)

    def log_record(self, record: LoopRecord, **more: Any) -> None:
        """Pass on a record of the loop: a note to the person and the report, the others to the watch and the log."""
        if isinstance(record, Note):
            self.note(self.data.with_names(record.text, record.pictures))
            return
        self.run.log({**plain(record), **more})
        self.journal.watch(record)

    def training_error(self, trouble: NotFinite) -> TrainingError:
        """The error of a training that cannot go on, which names the files that are the cause."""
        return TrainingError(self.data.with_names(str(trouble), trouble.pictures))


@dataclass(frozen=True, slots=True)
class Trained:
    """What `train` returns: the run folder, and the object that `--json` prints.

    stopped is true where training was interrupted; what was learned until then is in the run folder all the same.
    """

    path: Path
    summary: dict[str, Any]
    stopped: bool = False


def leaves_ladder(recipe: Recipe) -> bool:
    """Whether `freeze` says what learns, so that the usual loop trains it."""
    return recipe.freeze not in (None, "auto", "backbone")

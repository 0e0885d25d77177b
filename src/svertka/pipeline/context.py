"""What the steps of a training hand to each other, and what comes out. No torch: it is made while torch is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka.common.messages import message
from svertka.errors import NotFinite, TrainingError
from svertka.kinds.image import Preprocess
from svertka.records import LoopRecord, Note, Unreadable, Watch, plain
from svertka.runs.run_folder import Run
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    from svertka.data import Manifest, Source, Store
    from svertka.transfer.backbones import Backbone

Where = str | Path | Sequence[str | Path]  # what `open_source` takes: one place, or several
NAMED = 5  # pictures that a sentence names, at most


@dataclass
class Job:
    """One training, from its data on."""

    run: Run
    source: Source
    store: Store
    manifest: Manifest
    preprocess: Preprocess
    recipe: Recipe
    reasons: dict[str, str]
    watch: Watch
    started: float
    command: str
    read_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    wanted: dict[str, Any] = field(default_factory=dict)  # fields of the plan that the person has set
    clock: Clock = field(default_factory=Clock)
    start: Backbone | None = None  # the network that training goes on from, where it is not fresh

    def count(self, part: str) -> int:
        """Readable pictures of one part: "train", "validation" or "test"."""
        return len(self.manifest.indices(part))

    def labels(self, part: str) -> np.ndarray:
        """Their classes, (n,)."""
        return self.manifest.labels[self.manifest.indices(part)]

    def unreadable(self) -> list[Unreadable]:
        """The listed files that could not be decoded."""
        return [Unreadable(self.source.paths[i], reason) for i, reason in sorted(self.store.reasons.items())]

    def tell(self, record: LoopRecord, **more: Any) -> None:
        """Pass on a record of the loop: a note to the person and the report, the others to the watch and the log."""
        if isinstance(record, Note):
            self.note(self.with_names(record.text, record.pictures))
            return
        self.run.log({**plain(record), **more})
        self.watch(record)

    def with_names(self, fact: str, pictures: Sequence[int]) -> str:
        """A sentence, and after it another that names some pictures of the store, where there are any."""
        if not pictures:
            return fact
        names = ", ".join(self.source.paths[i] for i in pictures[:NAMED])
        more = f" and {len(pictures) - NAMED:,} more" if len(pictures) > NAMED else ""
        return message("computed-from", "{fact} It was computed from {files}.", fact=fact, files=names + more)

    def unfit(self, trouble: NotFinite) -> TrainingError:
        """The error of a training that cannot go on, which names the files that are the cause."""
        return TrainingError(self.with_names(str(trouble), trouble.pictures))

    def note(self, sentence: str) -> None:
        """Tell the person now and the report later."""
        self.watch(Note(sentence))
        if sentence in self.notes:  # a run that was killed says again what it had said
            return
        self.notes.append(sentence)
        self.run.log({"kind": "note", "text": sentence})


@dataclass(frozen=True, slots=True)
class Trained:
    """What `train` returns: the run folder, and the object that `--json` prints.

    stopped is true where training was interrupted; what was learned until then is in the run folder all the same.
    """

    path: Path
    summary: dict[str, Any]
    stopped: bool = False

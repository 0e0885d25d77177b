"""Every error that a person can cause or meet, as one tree.

SvertkaError                     the work failed (exit status 1)
├── UsageError                   the command or the call is wrong (exit status 2)
│   ├── UnknownName              no network, class, layer, option of that name; says what is near
│   ├── RecipeError              a value of the recipe is out of range or contradicts another
│   └── NotationError            a line of network notation does not parse or does not fit; points at the token
├── DataError                    the data are missing, empty or unusable as a whole
│   └── ReadError                one file cannot be read; carries path and reason
├── ShapeError                   sizes that do not fit together; says which met, and what would work
├── WeightsError                 weights are missing, damaged, or of another network; names the first tensors
├── RunError                     a run folder or a model bundle is missing, damaged or of another version
└── TrainingError                training cannot go on (disk full, worker dead, memory too small)
    └── NotFinite                the loss is no longer a number; carries the pictures of that batch

The message is one sentence for a person: what happened, to which file or value, what would work. The inner code raises
the local fact; the edge that knows the file or the command adds it once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SvertkaError(Exception):
    """Base of all errors of this package; `str(error)` is the sentence that the user reads."""

    exit_status = 1


class UsageError(SvertkaError):
    """The command or the call itself is wrong."""

    exit_status = 2


class UnknownName(UsageError):
    """There is nothing of that name; the message offers what is near."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], where: str = "") -> None:
        choices = list(choices)
        self.kind, self.name, self.choices = kind, name, choices
        near = difflib.get_close_matches(name.lower(), choices, n=3, cutoff=0.6)
        near = near or [c for c in choices if difflib.get_close_matches(name.lower(), c.split("_"), cutoff=0.8)][:3]
        if near:
            hint = f" Did you mean {' or '.join(near)}?"
        elif len(choices) <= 12:
            hint = f" Known: {', '.join(choices)}." if choices else ""
        else:
            hint = ""
        super().__init__(f"There is no {kind} called {name!r}.{hint}{' ' + where if where else ''}")


class RecipeError(UsageError):
    """A value of the recipe is out of range or contradicts another."""


class NotationError(UsageError):
    """A line of network notation does not parse, or its shapes do not fit.

    Attributes:
        text: the whole line.
        start, end: the token's place in it, so that `text[start:end]` is the token.
    """

    def __init__(self, message: str, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        super().__init__(message)

    def pointer(self) -> str:
        """The line and, beneath it, carets under the token."""
        return f"{self.text}\n{' ' * self.start}{'^' * max(1, self.end - self.start)}"


class DataError(SvertkaError):
    """The data are missing, empty, or unusable as a whole."""


class ReadError(DataError):
    """One file cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}.")


class ShapeError(SvertkaError):
    """Sizes that do not fit together."""


class WeightsError(SvertkaError):
    """Weights are missing, damaged, or belong to another network."""


class RunError(SvertkaError):
    """A run folder or a model bundle is missing, damaged, or of another version."""


class TrainingError(SvertkaError):
    """Training cannot go on."""


class NotFinite(TrainingError):
    """The loss is no longer a number: what happened, and what would help.

    Attributes:
        pictures: the indices, in the store, of those it was computed from.
    """

    def __init__(self, fact: str, advice: str, pictures: tuple[int, ...] = ()) -> None:
        self.fact, self.pictures = fact, pictures
        super().__init__(f"{fact} {advice}")

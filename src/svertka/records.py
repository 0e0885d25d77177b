"""Plain data that crosses layers: no torch, no behavior beyond turning into JSON.

Everything here is frozen. What is written into a run folder or printed by `--json` is one of these, or made of them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WIDTH = 160  # of a line of JSON: a layer of a network fits on one


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its confidence interval: `value` of `n` cases, between `low` and `high` (all in 0..1)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and why; it stays where it is. A path may stand for several `files`."""

    path: str
    reason: str
    files: int = 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `files` only where it is not one."""
        return {"path": self.path, "reason": self.reason} | ({} if self.files == 1 else {"files": self.files})


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says about one file: the best label, its probability, and all labels from likely to unlikely.

    `unsure` where more certainty was asked for than the model has: the label is a guess then.
    """

    path: str
    label: str
    probability: float
    ranking: tuple[tuple[str, float], ...]
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Training went forward: `step` of `steps` are done; `loss` is the mean over the `images` of this pass so far."""

    step: int
    steps: int
    epoch: int
    loss: float
    rate: float
    images: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass is over. Accuracies are shares of 1; `seconds` counts from the first step; `best` marks the best so far.

    Validation is None where it was not measured after this pass.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    rate: float
    images: int
    seconds: float
    best: bool


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know about this training: one sentence.

    Training that went back says to which step (`back_to`: later records are void), and because of which `pictures`,
    as indices into the store.
    """

    text: str
    back_to: int | None = None
    pictures: tuple[int, ...] = ()


LoopRecord = Step | Epoch | Note  # what `training.loop.fit` yields


@dataclass(frozen=True, slots=True)
class FilesDecoded:
    """So many of the files are pixels now."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FeaturesExtracted:
    """So many pictures have gone through a frozen network."""

    network: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ExplanationsMade:
    """So many heat maps, and tests of one, are made."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class CorruptionsTried:
    """So many kinds of change were tried on the pictures."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PlanChosen:
    """How training will compute on this machine; the fields are those of `hardware.plan.Plan`."""

    device: str
    layout: str
    precision: str
    threads: int
    reason: str


@dataclass(frozen=True, slots=True)
class ForecastMade:
    """What the run will take: seconds in all, bytes of memory (None where unknown) and of disk."""

    seconds: float
    memory: int | None
    disk: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder is done: what it was, what it scored, whether it was the best so far.

    `accuracy` is that of the validation pictures, None without any; `left_out`, that of training pictures left out in
    turn.
    """

    name: str
    backbone: str
    detail: str
    accuracy: Interval | None
    left_out: float | None
    seconds: float
    kept: bool

    def to_dict(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        a = self.accuracy
        measured = {"accuracy": a.value, "low": a.low, "high": a.high, "n": a.n} if a else {"accuracy": None}
        return {
            "rung": self.name, "backbone": self.backbone, "detail": self.detail, **measured,
            "left_out": self.left_out, "seconds": round(self.seconds, 3), "kept": self.kept,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrialDone:
    """One augmentation was tried: `setting` as `--set` takes it, what accuracy gained (of 1) with its interval."""

    setting: str
    gain: float
    low: float
    high: float
    verdict: str
    seconds: float


# Whatever a verb tells while it works. Each is frozen, and `plain` makes JSON of it.
Event = (
    Note | FilesDecoded | PlanChosen | ForecastMade | Step | Epoch | FeaturesExtracted | Rung | TrialDone
    | ExplanationsMade | CorruptionsTried
)  # fmt: skip
Watch = Callable[[Event], None]


def silent(event: Event) -> None:
    """A watch that looks away."""


def plain(record: Any) -> dict[str, Any]:
    """A record as a dictionary for JSON, with its kind: FilesDecoded(...) -> {"kind": "files_decoded", ...}.

    >>> plain(FilesDecoded(1, 2))
    {'kind': 'files_decoded', 'done': 1, 'total': 2}
    """
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(record).__name__).lower()
    return {"kind": kind, **dataclasses.asdict(record)}


def encoded(text: str) -> bytes:
    """JSON as UTF-8; of a name that is no text on this system, lone surrogates stay what they are as JSON's escapes.

    >>> encoded('"caf\\udce9"'), json.loads(encoded('"caf\\udce9"')) == "caf\\udce9"
    (b'"caf\\\\udce9"', True)
    """
    return text.encode("utf-8", errors="backslashreplace")


def readable(content: dict[str, Any]) -> str:
    """JSON for people: what fits on a line stands on one, whatever does not is indented.

    Raises:
        ValueError: a number is not finite.

    >>> print(readable({"shape": [3, 32, 32], "long": {"a": "x" * 80, "b": "y" * 80}}))
    {
     "shape": [3, 32, 32],
     "long": {
      "a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      "b": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
     }
    }
    """
    return _spread(content, "", 1)


def _spread(value: Any, key: str, indent: int) -> str:
    """`key` and value, on one line or as an indented block; the outermost is a block."""
    line = key + json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not value or not isinstance(value, dict | list | tuple) or ((key or indent > 1) and indent + len(line) < WIDTH):
        return line
    if isinstance(value, dict):
        left, right = "{}"
        rows = [
            _spread(one, f"{json.dumps(str(name), ensure_ascii=False)}: ", indent + 1) for name, one in value.items()
        ]
    else:
        left, right = "[]"
        rows = [_spread(one, "", indent + 1) for one in value]
    pad = "\n" + " " * indent
    return f"{key}{left}{pad}{(',' + pad).join(rows)}{pad[:-1]}{right}"

"""`compare`: which of several runs is better on the same pictures, and where they differ.

Pictures are the same when their bytes are (the digests of the manifests), whatever they are called and wherever they
lie. A picture that one of the runs learned from judges none of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svertka.common.messages import message
from svertka.errors import DataError, RunError, UnknownName, UsageError
from svertka.evaluation import Difference, difference, wilson
from svertka.records import Interval
from svertka.runs.predictions import Predictions, required_predictions

PARTS = ("test", "validation")  # the first that all runs have
LISTED = 200  # changed pictures that are listed


HOW = {
    "unproven": "{other} is not shown to differ from {one}",
    "better": "{other} is better than {one}",
    "worse": "{other} is worse than {one}",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """How the run `other` differs from `one` on the pictures they share."""

    one: str
    other: str
    found: Difference
    classes: dict[str, Difference]
    changed: tuple[dict[str, Any], ...]

    def sentence(self) -> str:
        """For a person."""
        d = self.found
        if not d.gained and not d.lost:
            return message(
                "compared.same",
                "{other} and {one} are right on the same of {n} pictures: no difference.",
                one=self.one,
                other=self.other,
                n=d.n,
            )
        how = "unproven" if not d.proven else "better" if d.value > 0 else "worse"
        return message(
            f"compared.{how}",
            f"{HOW[how]}: it gains {{gained}} pictures and loses {{lost}} of {{n}} ({{p}}; {{low:+.1f}} to "
            "{high:+.1f} points).",
            one=self.one,
            other=self.other,
            gained=d.gained,
            lost=d.lost,
            n=d.n,
            p=message("p", "p = {p:.2g}", p=float(d.p))
            if d.p >= 1e-4 or not d.proven
            else message("p-small", "p < 0.0001"),
            low=100 * float(d.low),
            high=100 * float(d.high),
        )

    def to_dict(self) -> dict[str, Any]:
        """The form for --json."""
        return {
            "one": self.one, "other": self.other, **self.found.to_dict(), "sentence": self.sentence(),
            "per_class": {name: d.to_dict() for name, d in self.classes.items()},
            "changed": list(self.changed[:LISTED]),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """What `compare` returns: accuracy of each run on the `n` pictures of a part that all share, and all pairs.

    left_out   pictures of the part that some run lacks, or learned from
    """

    part: str
    n: int
    left_out: int
    accuracy: dict[str, Interval]
    pairs: tuple[Pair, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "part": self.part, "n": self.n, "left_out": self.left_out,
            "runs": [{"run": r, "accuracy": a.value, "low": a.low, "high": a.high} for r, a in self.accuracy.items()],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "tests": "McNemar 1947, exact; interval of the difference: Newcombe 1998, method 10"
            + (f"; p of {len(self.pairs)} pairs, none corrected" if len(self.pairs) > 1 else ""),
        }  # fmt: skip


def compare(runs: Sequence[str | Path], *, part: str | None = None) -> Compared:
    """Hold runs against each other on the pictures that all of them answered and none learned from.

    Args:
        runs: two run folders or more.
        part: "test" or "validation"; test where all runs have it, else validation.

    Raises:
        UsageError: fewer than two runs, or one of them twice.
        RunError: one is no run folder, or holds no predictions.
        DataError: they share no picture, or call their classes otherwise.
    """
    folders = [Path(run) for run in runs]
    if len(folders) < 2:
        raise UsageError("`svertka compare` takes two run folders or more.")
    twice = next((str(f) for k, f in enumerate(folders) if f.resolve() in [g.resolve() for g in folders[:k]]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice; a run cannot differ from itself.")
    if part is not None and part not in PARTS:
        raise UnknownName("part", part, PARTS)
    answers, part = _of_part([required_predictions(f) for f in folders], folders, part)
    _same_classes(answers)
    rows, left_out = _shared(answers)
    names = answers[0].manifest.classes
    truth = np.array(names)[answers[0].manifest.labels[answers[0].index[rows[0]]]]
    guesses = [np.array(a.manifest.classes)[a.guess[r]] for a, r in zip(answers, rows, strict=True)]
    right = [g == truth for g in guesses]
    shown = [str(a.run) for a in answers]
    pairs = tuple(
        _pair(answers, rows, guesses, truth, (i, j), shown) for i, j in itertools.combinations(range(len(answers)), 2)
    )
    n = len(truth)
    accuracy = {name: wilson(int(r.sum()), n) for name, r in zip(shown, right, strict=True)}
    return Compared(part, n, left_out, accuracy, pairs)


def _of_part(
    found: list[dict[str, Predictions]], folders: list[Path], part: str | None
) -> tuple[list[Predictions], str]:
    if part is None:
        part = next((p for p in PARTS if all(p in answers for answers in found)), "validation")
    lacking = next((f for f, answers in zip(folders, found, strict=True) if part not in answers), None)
    if lacking is not None:
        raise RunError(f"{lacking} holds no predictions for {part} pictures.")
    return [answers[part] for answers in found], part


def _same_classes(answers: list[Predictions]) -> None:
    first = answers[0]
    for other in answers[1:]:
        differing = set(first.manifest.classes) ^ set(other.manifest.classes)
        if differing:
            name = min(differing)
            has, lacks = (first, other) if name in first.manifest.classes else (other, first)
            raise DataError(
                f"The runs tell other classes apart: {name!r} is a class of {has.run}, and none of {lacks.run}."
            )


def _shared(answers: list[Predictions]) -> tuple[list[np.ndarray], int]:
    """Rows of each run's answers that show the same pictures in the same order, and how many were left out."""
    learned: set[bytes] = set()
    for a in answers:
        learned |= set(_keys(a.manifest.digests[a.manifest.indices("train")]))
    places = [{key: k for k, key in reversed(list(enumerate(_keys(a.manifest.digests[a.index]))))} for a in answers]
    everywhere = set.intersection(*(set(p) for p in places))
    keys = [key for key in places[0] if key in everywhere and key not in learned]
    if not keys:
        runs = " and ".join(str(a.run) for a in answers)
        why = "they were made from other data" if not everywhere else "one learned from what judges the other"
        raise DataError(f"{runs} share no picture that can judge them: {why}; train both with the same --manifest.")
    rows = [np.array([place[key] for key in keys]) for place in places]
    return rows, max(len(place) for place in places) - len(keys)


def _keys(digests: np.ndarray) -> list[bytes]:
    return [bytes(d) for d in digests]


def _pair(
    answers: list[Predictions],
    rows: list[np.ndarray],
    guesses: list[np.ndarray],
    truth: np.ndarray,
    which: tuple[int, int],
    shown: list[str],
) -> Pair:
    i, j = which
    before, after = guesses[i] == truth, guesses[j] == truth
    one, other = answers[i], answers[j]
    changed = np.flatnonzero(before != after)
    sure = np.maximum(one.confidence[rows[i]], other.confidence[rows[j]])
    changed = changed[np.argsort(-sure[changed], kind="stable")]
    told = tuple(
        {
            "path": one.manifest.paths[int(one.index[rows[i][k]])],
            "digest": bytes(one.manifest.digests[one.index[rows[i][k]]]).hex(),
            "label": str(truth[k]), "one": str(guesses[i][k]), "other": str(guesses[j][k]),
            "gained": bool(after[k]),
        }
        for k in changed.tolist()
    )  # fmt: skip
    classes = {name: difference(before[truth == name], after[truth == name]) for name in one.manifest.classes
               if (truth == name).any()}  # fmt: skip
    return Pair(shown[i], shown[j], difference(before, after), classes, told)

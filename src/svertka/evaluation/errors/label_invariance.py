"""Flips and turns that change what a picture means, found by measuring: a 6 upside down is a 9.

A network that never saw a flipped picture may fail on it in many ways, and often takes whatever is strange for one and
the same class. But a flip can be undone: if flipped pictures of A look like B, then flipped pictures of B look like A.
So it says something when most of A are taken for B, and many of B, flipped back, for A.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from svertka.evaluation.intervals import wilson

FEWEST = 10  # pictures of a class, below which nothing is said
BACK = 1 / 3  # share of the other class that must be taken for this one when the view is undone
KNOWN = 0.6  # share of upright pictures that must be right, or the network knows nothing of the class
BATCH = 256

View = Callable[[np.ndarray], np.ndarray]  # (n, h, w, c) -> the same pictures, flipped or turned

# name in words -> what it does, and what undoes it
VIEWS: dict[str, tuple[View, View]] = {
    "mirrored left to right": (lambda x: x[:, :, ::-1],) * 2,
    "mirrored top to bottom": (lambda x: x[:, ::-1],) * 2,
    "turned by half": (lambda x: x[:, ::-1, ::-1],) * 2,
    "turned a quarter": (lambda x: np.rot90(x, 1, (1, 2)), lambda x: np.rot90(x, -1, (1, 2))),
}


@dataclass(frozen=True, slots=True)
class Change:
    """Under `view` (in words) a `share` of the `n` pictures of one class is taken for another.

    back    share of the other class that is taken for this one when the view is undone
    plain   accuracy on the class as it is
    """

    view: str
    of: str
    taken_for: str
    share: float
    back: float
    plain: float
    n: int

    def sentence(self) -> str:
        """For a person."""
        return (
            f"{self.of!r} {self.view} is taken for {self.taken_for!r} in {self.share:.0%} of {self.n:,} pictures, and "
            f"{self.taken_for!r} for {self.of!r} in {self.back:.0%}: that changes what these classes mean."
        )


def changes(
    predict: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
) -> list[Change]:
    """Pairs of classes that a view turns into each other; quarter turns are tried on square pictures alone.

    Args:
        predict: uint8 (b, h, w, c) -> the class of each (b,).
        pixels: (n, h, w, c), of which `index` (m,) are looked at.
        labels: (n,) indices into `classes`.
    """
    truth, c = labels[index], len(classes)

    def confusion(view: View) -> np.ndarray:
        parts = (pixels[index[k : k + BATCH]] for k in range(0, len(index), BATCH))
        seen = np.concatenate([predict(np.ascontiguousarray(view(part))) for part in parts])
        counts = np.zeros((c, c), np.int64)
        np.add.at(counts, (truth, seen), 1)
        return counts  # rows are the truth

    as_it_is = confusion(lambda x: x)
    n = as_it_is.sum(1)
    plain = as_it_is.diagonal() / np.maximum(n, 1)
    found: list[Change] = []
    for name, (view, undo) in VIEWS.items():
        if "quarter" in name and pixels.shape[1] != pixels.shape[2]:
            continue
        there = confusion(view)
        back = there if view is undo else confusion(undo)
        for a, b in zip(*np.nonzero(2 * there > np.maximum(n, 1)[:, None]), strict=True):
            known = min(n[a], n[b]) >= FEWEST and min(plain[a], plain[b]) >= KNOWN
            if a == b or not known or wilson(int(there[a, b]), int(n[a])).low <= 0.5 or back[b, a] < BACK * n[b]:
                continue
            known_already = (f.view == name and {f.of, f.taken_for} == {classes[a], classes[b]} for f in found)
            if not any(known_already):
                share, other = float(there[a, b] / n[a]), float(back[b, a] / n[b])
                found.append(Change(name, classes[a], classes[b], share, other, float(plain[a]), int(n[a])))
    return found

"""Labels that are probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70:1373).

A class is claimed with confidence where its probability is at least the mean probability that pictures *labeled* so
have: the model's own habit sets the bar, so a class that is always answered timidly is not suspected as a whole. A
picture whose label is not what is claimed with confidence is a suspect; suspects are ranked by how far the claim lies
above the label. The probabilities must be of pictures that the model did not learn from: what it learned by heart,
wrong labels included, it finds right.

How far to trust this is measured on the spot: labels are swapped on purpose, and the share that is found is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PLANTED = 0.05  # share of labels that are swapped to see whether they are found
FEWEST = 40  # pictures below which nothing is planted


@dataclass(frozen=True, slots=True)
class Suspects:
    """All pictures from the most to the least suspicious label.

    order      int64 (n,), suspects first
    count      so many are suspects
    claimed    int64 (n,), by place in the data, the class that the model claims against the label
    """

    order: np.ndarray
    count: int
    claimed: np.ndarray


@dataclass(frozen=True, slots=True)
class Planted:
    """Of `n` labels that were swapped on purpose the share `found` is suspected; they are `precise` of all suspects.

    The true precision lies above that, where some of the other suspects are wrong labels too.
    """

    n: int
    found: float
    precise: float

    def to_dict(self) -> dict[str, Any]:
        """The form for --json."""
        return {"n": self.n, "found": self.found, "precise": self.precise}


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> Suspects:
    """Rank labels by how little the model believes them: (n, c) out-of-sample probabilities, (n,) labels."""
    n, c = probabilities.shape
    rows = np.arange(n)
    own = probabilities[rows, labels].astype(np.float64)
    count = np.bincount(labels, minlength=c)
    with np.errstate(invalid="ignore"):
        bar = np.bincount(labels, own, minlength=c) / count  # (c,), nan for classes without a label
    bar = np.where(count > 0, bar, np.inf)  # nobody can be suspected to be of them
    sure = np.where(probabilities >= bar, probabilities, -1.0)  # (n, c)
    claim = sure.argmax(1)
    suspect = (sure.max(1) >= 0) & (claim != labels)
    others = probabilities.astype(np.float64)
    others[rows, labels] = -1.0
    rival = others.argmax(1)
    margin = own - others[rows, rival]  # below 0 where another class is likelier than the label
    order = np.lexsort((margin, ~suspect))
    return Suspects(order, int(suspect.sum()), np.where(suspect, claim, rival))


def planted(probabilities: np.ndarray, labels: np.ndarray, share: float = PLANTED, seed: int = 0) -> Planted | None:
    """How many swapped labels are found, and how many suspects are swapped ones; None of too few pictures.

    Labels that are not suspected as they are get swapped at random for another that occurs.
    """
    n, there = len(labels), np.unique(labels)
    before = suspects(probabilities, labels)
    clean = before.order[before.count :]
    if len(there) < 2 or n < FEWEST or len(clean) < share * n:
        return None
    g = np.random.default_rng(seed)
    chosen = g.choice(np.sort(clean), round(share * n), replace=False)
    swapped = labels.copy()
    place = np.searchsorted(there, swapped[chosen])
    swapped[chosen] = there[(place + g.integers(1, len(there), len(chosen))) % len(there)]
    after = suspects(probabilities, swapped)
    hits = np.isin(after.order[: after.count], chosen).sum()
    return Planted(len(chosen), float(hits / len(chosen)), float(hits / after.count) if after.count else 0.0)

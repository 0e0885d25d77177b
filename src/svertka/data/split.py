"""Cutting a validation part out of the training part: stratified, seeded, and blind to names and order.

A file's place is decided by a keyed hash of its content. So renaming or reordering files changes nothing,
identical files always fall on one side, and another seed gives another draw.
"""

from __future__ import annotations

import numpy as np

from svertka.errors import RecipeError

SHARE = 0.2  # of the training pictures, where nobody says otherwise
MOST = 5000  # validation pictures: enough to know 99 % within 0.3 points; the rest is better learned from


def cut(labels: np.ndarray, digests: np.ndarray, share: float | None = None, seed: int = 0) -> np.ndarray:
    """Which files go to validation: bool (n,).

    Every class gives its share, at least one picture where it has two different ones, and keeps at least one.

    Args:
        labels: int (n,), the class of each file.
        digests: uint8 (n, 16), of the content of each file.
        share: of the files, between 0 and 1; SHARE, but no more than MOST files, where None.
        seed: another seed gives another draw.

    Raises:
        RecipeError: the share is not between 0 and 1.
    """
    if share is not None and not 0 < share < 1:
        raise RecipeError(f"The share of the validation part lies between 0 and 1; received {share}.")
    n = len(labels)
    if n == 0:
        return np.zeros(0, bool)
    if share is None:
        share = min(SHARE, MOST / n)
    keys = np.ascontiguousarray(digests).view("<u8").reshape(n, 2)[:, 0]  # content hashes: 64 of their bits will do
    unique, group, copies = np.unique(keys, return_inverse=True, return_counts=True)
    home = np.full(len(unique), np.iinfo(np.int64).max)
    np.minimum.at(home, group, labels)  # a content that stands in two classes is drawn with the first of them
    order = np.lexsort((_mix(unique ^ _mix(np.array([seed], np.uint64))), home))
    wanted = _quotas(np.bincount(labels), share)
    drawn = np.zeros(len(unique), bool)
    for label in np.unique(home).tolist():
        groups = order[np.searchsorted(home[order], label) : np.searchsorted(home[order], label, "right")]
        before = np.cumsum(copies[groups]) - copies[groups]  # pictures drawn before this group
        take = before < wanted[label]
        take[-1] = False  # the last group stays, so that the class has something to learn from
        drawn[groups[take]] = True
    return drawn[group]


def _quotas(counts: np.ndarray, share: float) -> np.ndarray:
    """How many pictures each class gives: the share of all together, and of each as whole numbers allow."""
    exact = counts * share
    quotas: np.ndarray = np.floor(exact).astype(np.int64)
    short = round(exact.sum()) - quotas.sum()
    quotas[np.argsort(quotas - exact, kind="stable")[:short]] += 1
    quotas[(counts >= 2) & (quotas == 0)] = 1
    return quotas


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

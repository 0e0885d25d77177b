"""k folds: every picture judges once. Stratified, seeded, copies and groups never parted, as in split.py."""

from __future__ import annotations

import numpy as np

from svertka.common.digests import short_keys
from svertka.data.splitting.holdout import hash_groups, joined
from svertka.errors import RecipeError


def folds(labels: np.ndarray, digests: np.ndarray, k: int, seed: int, group: np.ndarray | None = None) -> np.ndarray:
    """The fold of each file, 0 to k - 1: int64 (n,).

    In the order of a keyed hash, the groups of a class are dealt to the folds in turn, each class beginning where the
    last one ended: classes are as even as they can be where groups are single files.

    Args:
        labels: int (n,).
        digests: uint8 (n, 16), of the bytes of the files, or of the names of their groups.
        k: how many folds, 2 or more.
        seed: another seed deals otherwise.
        group: int (n,); files with the same number stay together, as files with the same digest do.

    Raises:
        RecipeError: k is below 2, or above the number of groups of the smallest class.
    """
    if k < 2:
        raise RecipeError(f"Folds are 2 or more, so that each judges what the others learn; received {k}.")
    keys = short_keys(digests)
    number = np.unique(keys, return_inverse=True)[1].ravel()
    number = number if group is None else joined(number, group)
    hashes = hash_groups(keys, number, seed)  # (groups,)
    home = np.full(len(hashes), np.iinfo(np.int64).max)
    np.minimum.at(home, number, labels)  # a group that stands in two classes counts for the first of them
    order = np.lexsort((hashes, home))
    fewest = int(np.bincount(home).min()) if len(home) else 0
    if fewest < k:
        raise RecipeError(
            f"{k} folds need {k} different pictures (or groups) of each class; one class has {fewest} only."
        )
    dealt = np.empty(len(hashes), np.int64)
    dealt[order] = np.arange(len(order)) % k
    return dealt[number]

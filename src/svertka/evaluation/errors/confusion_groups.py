"""Which classes are taken for each other: an order in which they stand together, and the groups that it shows.

Average linkage (Sokal and Michener 1958, UPGMA) on the share of each class's pictures that is taken for the other,
the mean of both directions; branches are turned so that neighbors are most alike (Bar-Joseph et al. 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 10  # classes of a group
TURNED = 300  # classes up to which branches are turned: that takes cubic time


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """`order` (c,): classes in the order in which they are shown; `groups`: slices of it, the most mistakes first."""

    order: np.ndarray
    groups: tuple[slice, ...]


def grouped(confusion: np.ndarray) -> Groups:
    """Order the classes of a confusion matrix (c, c), rows the truth, and find groups of MOST at most."""
    classes = len(confusion)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    alike = (shares + shares.T) / 2
    np.fill_diagonal(alike, 0)
    if classes < 3 or not alike.any():
        return Groups(np.arange(classes), ())
    from scipy.cluster.hierarchy import linkage  # comes with scikit-learn; late, as few reports need it
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(1 - alike, checks=False), "average", optimal_ordering=classes <= TURNED)
    order, found = _walk(tree, classes)
    within = [int(_mistakes(confusion, order[part])) for part in found]
    ranked = sorted((k for k, n in enumerate(within) if n), key=lambda k: (-within[k], found[k].start))
    return Groups(order, tuple(found[k] for k in ranked))


def _walk(tree: np.ndarray, classes: int) -> tuple[np.ndarray, list[slice]]:
    """Leaves from left to right, and the largest branches of MOST at most in which every joint has some likeness."""
    order: list[int] = []
    found: list[slice] = []
    waiting = [(2 * classes - 2, False)]  # nodes, the leftmost last; whether it is part of a group already
    while waiting:
        node, inside = waiting.pop()
        if node < classes:
            order.append(node)
            continue
        left, right, distance, size = tree[node - classes]
        if not inside and size <= MOST and distance < 1:
            found.append(slice(len(order), len(order) + int(size)))
            inside = True
        waiting += [(int(right), inside), (int(left), inside)]
    return np.array(order), found


def _mistakes(confusion: np.ndarray, members: np.ndarray) -> int:
    part = confusion[np.ix_(members, members)]
    return int(part.sum() - part.trace())

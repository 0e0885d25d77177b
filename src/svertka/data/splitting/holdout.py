"""Cutting a validation part out of the training part: stratified, seeded, blind to names and order, and lasting.

A file's place is decided by a keyed hash of its content alone (or of the name of its group): it goes to validation
where the hash lies below the share. So renaming and reordering change nothing, files that are added or removed later
leave all others where they are, and another seed gives another draw. The price: a class gives its share in
expectation, with the deviation of independent draws, sqrt(n share (1 - share)), and not to the file. What is exact:
files of one group are never parted, and every class with two groups has one on either side.
"""

from __future__ import annotations

import numpy as np

from svertka.common.digests import short_keys
from svertka.common.splitmix import scramble_array
from svertka.errors import RecipeError

SHARE = 0.2  # of the training pictures, where nobody says otherwise
MOST = 5000  # validation pictures: enough to know 99 % within 0.3 points; the rest is better learned from


def cut(
    labels: np.ndarray,
    digests: np.ndarray,
    share: float | None = None,
    seed: int = 0,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Which files go to validation: bool (n,).

    Args:
        labels: int (n,), the class of each file.
        digests: uint8 (n, 16), what decides about each file: of its content, or of its group's name.
        share: of the files, between 0 and 1; `usual_share` where None.
        seed: another seed gives another draw.
        group: int (n,); files with the same number stay together, as files with the same digest do.

    Raises:
        RecipeError: the share is not between 0 and 1.
    """
    if share is not None and not 0 < share < 1:
        raise RecipeError(f"The share of the validation part lies between 0 and 1; received {share}.")
    n = len(labels)
    if n == 0:
        return np.zeros(0, bool)
    share = usual_share(n) if share is None else share
    keys = short_keys(digests)
    number = np.unique(keys, return_inverse=True)[1]
    number = number if group is None else joined(number, group)
    hashes = hash_groups(keys, number, seed)  # (groups,)
    drawn = hashes < np.uint64(share * 2.0**64)
    home = np.full(len(hashes), np.iinfo(np.int64).max)
    np.minimum.at(home, number, labels)  # a group that stands in two classes counts for the first of them
    order = np.lexsort((hashes, home))
    for own in np.split(order, np.flatnonzero(np.diff(home[order])) + 1):
        if len(own) > 1:
            drawn[own[0]] = True
        drawn[own[-1]] = False  # so that the class has something to learn from
    return drawn[number]


def usual_share(n: int) -> float:
    """The share of n files that validates where nobody says otherwise: halved until it is at most MOST files.

    It stays the same while a set grows to twice its size, and where it changes files only go back to training.

    >>> usual_share(1000), usual_share(60_000)
    (0.2, 0.05)
    """
    share = SHARE
    while share * n > MOST:
        share /= 2
    return share


def joined(*columns: np.ndarray) -> np.ndarray:
    """Number files so that those agree which agree in any column, directly or over others: each (n,) -> (n,) from 0."""
    links = []
    for column in columns:
        order = np.argsort(column, kind="stable")
        again = np.flatnonzero(column[order[1:]] == column[order[:-1]])
        links.append(np.stack([order[again], order[again + 1]], 1))
    first = linked(len(columns[0]), np.concatenate(links))
    number: np.ndarray = (np.cumsum(first == np.arange(len(first))) - 1)[first]
    return number


def linked(n: int, links: np.ndarray) -> np.ndarray:
    """For each of n files the first of those that hang together with it over links (m, 2): int64 (n,).

    >>> linked(5, np.array([[4, 3], [3, 1]])).tolist()
    [0, 1, 2, 1, 1]
    """
    first = np.arange(n)
    files, ends = np.unique(links, return_inverse=True)  # of a million files few are linked
    root, ends = np.arange(len(files)), ends.reshape(-1, 2)
    while len(ends):  # at least half of the roots of a family go each time, so this ends soon
        np.minimum.at(root, ends.max(1), ends.min(1))
        while (root != root[root]).any():
            root = root[root]
        ends = root[ends]
        ends = ends[ends[:, 0] != ends[:, 1]]
    first[files] = files[root]
    return first


def hash_groups(keys: np.ndarray, number: np.ndarray, seed: int) -> np.ndarray:
    """One hash for each group: that of one of its files, which another hash, the same for every seed, picks."""
    order = np.lexsort((scramble_array(keys), number))
    first = order[np.flatnonzero(np.diff(number[order], prepend=-1))]
    return scramble_array(keys[first] ^ scramble_array(np.array([seed], np.uint64)))

"""Who was where before: what a split must respect where an earlier manifest is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from svertka.common.digests import short_keys
from svertka.common.messages import message
from svertka.data.folders.part_names import TRAIN, UNDECIDED, part_names
from svertka.data.path_array import Paths


class Known(NamedTuple):
    """The files of an earlier manifest: their paths, parts uint8 (m,) and digests (m,)."""

    paths: Paths
    parts: np.ndarray
    digests: np.ndarray


def parts_as_before(
    paths: Paths, parts: np.ndarray, digests: np.ndarray, group: np.ndarray, earlier: Known
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Parts as an earlier manifest has them: (parts (n,), whether they are settled (n,), notes).

    Files are known by their content. A new file that belongs to an old one goes where the old one is; other new files
    stay where their folder puts them, or open.
    """
    known = _part_of_each(paths, digests, earlier)  # (n,), UNDECIDED where the manifest does not know the file
    old = known != UNDECIDED
    leads = np.full(int(group.max(initial=-1)) + 1, UNDECIDED, np.uint8)
    np.maximum.at(leads, group[old], known[old])  # copies parted before: the new one joins the part that judges
    follows = ~old & (parts == UNDECIDED) & (leads[group] != UNDECIDED)
    settled = np.where(old, known, np.where(follows, leads[group], parts)).astype(np.uint8)
    notes = []
    moved = np.flatnonzero(old & (parts != UNDECIDED) & (parts != known))
    if len(moved):
        first = int(moved[0])
        notes.append(
            message(
                "manifest.moved",
                "The manifest puts {n} file elsewhere than the folder does, such as {path} into {part}; the manifest "
                "is followed.",
                "The manifest puts {n} files elsewhere than the folder does, such as {path} into {part}; the manifest "
                "is followed.",
                n=len(moved),
                path=paths[first],
                part=part_names([int(known[first])]),
            )
        )
    missing = np.flatnonzero(~np.isin(short_keys(earlier.digests), short_keys(digests)))
    if len(missing):
        notes.append(
            message(
                "manifest.missing",
                "{n} file of the manifest has gone or changed, such as {path}.",
                "{n} files of the manifest have gone or changed, such as {path}.",
                n=len(missing),
                path=earlier.paths[int(missing[0])],
            )
        )
    if not old.all():
        notes.append(
            message(
                "manifest.new",
                "{n} file is not in the manifest; the old ones stay where they were.",
                "{n} files are not in the manifest; the old ones stay where they were.",
                n=int((~old).sum()),
            )
        )
    return settled, old | (settled != UNDECIDED), notes


def _part_of_each(paths: Paths, digests: np.ndarray, earlier: Known) -> np.ndarray:
    """The part in which the manifest has a file of that content: uint8 (n,).

    Where it has several, that of the file of the same name counts, else that of the last.
    """
    keys, known = short_keys(digests), short_keys(earlier.digests)
    order = np.argsort(known, kind="stable")
    if not len(order):
        return np.full(len(keys), UNDECIDED, np.uint8)
    place = order[np.maximum(0, np.searchsorted(known[order], keys, "right") - 1)]
    parts = np.where(earlier.parts == UNDECIDED, TRAIN, earlier.parts)
    found = np.where(known[place] == keys, parts[place], UNDECIDED).astype(np.uint8)
    several = known[order][1:][known[order][1:] == known[order][:-1]]
    copies = {(int(known[i]), earlier.paths[i]): parts[i] for i in np.flatnonzero(np.isin(known, several)).tolist()}
    for i in np.flatnonzero(np.isin(keys, several)).tolist():
        found[i] = copies.get((int(keys[i]), paths[i]), found[i])
    return found

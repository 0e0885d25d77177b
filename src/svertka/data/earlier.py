"""Who was where before: what a split must respect where an earlier manifest is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from svertka.data.columns import Paths, counted
from svertka.data.layout import PART_NAMES, TRAIN, UNDECIDED

if TYPE_CHECKING:
    from svertka.data.manifest import Manifest


def parts_as_before(
    paths: Paths, parts: np.ndarray, digests: np.ndarray, group: np.ndarray, earlier: Manifest
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Parts as an earlier manifest has them: (parts (n,), whether they are settled (n,), notes).

    Files are known by their content. A new file that belongs to an old one goes where the old one is; other new files
    stay where their folder puts them, or open.
    """
    known = _part_of_each(digests, earlier)  # (n,), UNDECIDED where the manifest does not know the file
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
            f"The manifest puts {counted(len(moved), 'file')} elsewhere than the folder does, such as {paths[first]} "
            f"into {PART_NAMES[known[first]]}; the manifest is followed."
        )
    there = set(map(bytes, digests))
    missing = [k for k, digest in enumerate(map(bytes, earlier.digests)) if digest not in there]
    if missing:
        have = "has" if len(missing) == 1 else "have"
        notes.append(
            f"{counted(len(missing), 'file')} of the manifest {have} gone or changed, such as "
            f"{earlier.paths[missing[0]]}."
        )
    if not old.all():
        are = "is" if (~old).sum() == 1 else "are"
        notes.append(
            f"{counted(int((~old).sum()), 'file')} {are} not in the manifest; the old ones stay where they were."
        )
    return settled, old | (settled != UNDECIDED), notes


def _part_of_each(digests: np.ndarray, earlier: Manifest) -> np.ndarray:
    place = {bytes(d): p or TRAIN for d, p in zip(earlier.digests, earlier.parts.tolist(), strict=True)}
    return np.array([place.get(bytes(d), UNDECIDED) for d in digests], np.uint8)

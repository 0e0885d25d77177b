"""Who belongs together, and who was where before: what a split must respect beside shares."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from svertka.data.columns import Paths, counted
from svertka.data.layout import PART_NAMES, TRAIN, UNDECIDED
from svertka.errors import RecipeError

if TYPE_CHECKING:
    from svertka.data.manifest import Manifest


def named_groups(paths: Paths, pattern: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Groups by a pattern on the path: (number (n,), digest uint8 (n, 16) of each group's name, notes).

    The name of a group is what the first bracket of the pattern matches, or all that it matches where it has none. A
    path that it does not match is a group of its own.

    Raises:
        RecipeError: the pattern matches no path.
    """
    found = re.compile(pattern)
    names, lost = [], []
    for path in paths:
        match = found.search(path)
        if match is None or match.group(match.re.groups > 0) is None:
            lost.append(path)
            names.append("\0" + path)
        else:
            names.append(match.group(match.re.groups > 0))
    if len(lost) == len(names):
        raise RecipeError(f"group_by {pattern!r} matches none of the files, such as {paths[0]}.")
    unique = {name: number for number, name in enumerate(dict.fromkeys(names))}
    number = np.array([unique[name] for name in names], np.int64)
    digests = b"".join(
        hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest() for name in unique
    )
    told = (
        [f"group_by {pattern!r} does not match {counted(len(lost), 'file')}, such as {lost[0]}: each is its own group."]
        if lost
        else []
    )
    return number, np.frombuffer(digests, np.uint8).reshape(-1, 16)[number], told


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

"""Which files belong together by name (patient, video, camera): from a column of a table, or a pattern on the path."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svertka.common.messages import message
from svertka.data.folders.part_names import UNDECIDED, part_names
from svertka.data.path_array import Paths
from svertka.errors import RecipeError


@dataclass(frozen=True)
class Groups:
    """The group of each file.

    Attributes:
        by: the column, or the pattern, that made them.
        names: of the groups.
        number: int32 (n,), index into `names`; -1 for a file that is a group of its own.
        notes: sentences on what looks odd but is allowed.
    """

    by: str
    names: Paths
    number: np.ndarray
    notes: tuple[str, ...] = ()

    @cached_property
    def codes(self) -> np.ndarray:
        """int64 (n,): equal for files of one group, and for no others."""
        alone = len(self.names) + np.arange(len(self.number))
        return np.where(self.number < 0, alone, self.number).astype(np.int64)

    def digests(self, paths: Paths) -> np.ndarray:
        """uint8 (n, 16), a hash of the name of each file's group, or of the file's own name."""
        found = np.zeros((len(self.number), 16), np.uint8)
        if len(self.names):
            found = _digests(list(self.names))[np.maximum(self.number, 0)]
        alone = np.flatnonzero(self.number < 0)
        if len(alone):
            found[alone] = _digests(["\0" + paths[i] for i in alone.tolist()])
        return found

    def parted(self, parts: np.ndarray) -> list[tuple[str, list[int]]]:
        """Groups that stand in more than one of the given parts: the name of each, and a file from each part."""
        given = np.flatnonzero((self.number >= 0) & (parts != UNDECIDED))
        pairs, first = np.unique(np.stack([self.number[given], parts[given]], 1), axis=0, return_index=True)  # (k, 2)
        several = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(self.names)) > 1)
        starts, ends = np.searchsorted(pairs[:, 0], several), np.searchsorted(pairs[:, 0], several, "right")
        return [
            (self.names[g], given[first[a:b]].tolist()) for g, a, b in zip(several.tolist(), starts, ends, strict=True)
        ]

    def warnings(self, paths: Paths, parts: np.ndarray) -> list[str]:
        """A sentence for groups that the given parts have parted; none where there are none."""
        both = self.parted(parts)
        if not both:
            return []
        name, files = both[0]
        return [
            message(
                "parted-groups",
                "{n} group stands in more than one of the given parts, such as {name} (by {by}) in {parts}, there as "
                "{path}: the accuracy there will flatter.",
                "{n} groups stand in more than one of the given parts, such as {name} (by {by}) in {parts}, there as "
                "{path}: the accuracy there will flatter.",
                n=len(both),
                name=repr(name),
                by=repr(self.by),
                parts=part_names([int(parts[i]) for i in files]),
                path=paths[files[-1]],
            )
        ]


def groups_by_pattern(paths: Paths, pattern: str) -> Groups:
    """Groups by what the first bracket of a pattern matches in the path, or all of it where it has no bracket.

    A path that it does not match is a group of its own.

    Raises:
        RecipeError: the pattern is none, or matches no path.
    """
    try:
        found = re.compile(pattern)
    except re.error as why:
        raise RecipeError(f"group_by is no pattern: {why}; received {pattern!r}.") from None
    known: dict[str, int] = {}
    number = np.full(len(paths), -1, np.int32)
    for i, path in enumerate(paths):
        match = found.search(path)
        name = None if match is None else match.group(found.groups > 0)
        if name is not None:
            number[i] = known.setdefault(name, len(known))
    if not known:
        raise RecipeError(f"group_by {pattern!r} matches none of the files, such as {paths[0]}.")
    lost = np.flatnonzero(number < 0)
    if not len(lost):
        return Groups(pattern, Paths.of(known), number)
    note = message(
        "ungrouped",
        "group_by {pattern} does not match {n} file, such as {path}: each is its own group.",
        "group_by {pattern} does not match {n} files, such as {path}: each is its own group.",
        pattern=repr(pattern),
        n=len(lost),
        path=paths[int(lost[0])],
    )
    return Groups(pattern, Paths.of(known), number, (note,))


def joined_groups(some: list[tuple[Groups | None, int]]) -> Groups | None:
    """Groups of several sources, each with its number of files, as one; the same name is the same group everywhere."""
    first = next((groups for groups, _ in some if groups is not None), None)
    if first is None:
        return None
    known: dict[str, int] = {}
    numbers, notes = [], list[str]()
    for groups, files in some:
        if groups is None:
            numbers.append(np.full(files, -1, np.int32))
            continue
        place = np.array([known.setdefault(name, len(known)) for name in groups.names] or [-1], np.int32)
        numbers.append(np.where(groups.number < 0, -1, place[groups.number]).astype(np.int32))
        notes += groups.notes
    return Groups(first.by, Paths.of(known), np.concatenate(numbers), tuple(notes))


def _digests(names: list[str]) -> np.ndarray:
    made = (hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest() for name in names)
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 16)

"""A table of pictures: a row for each, with columns for the path (or the bytes), the class, the part and the group.

Columns are found by their usual names, or named after a #: `birds.csv#label=species,group=nest`. A table is read in
batches, and what is kept of a row is a path in one block of bytes and a few numbers, so that a million rows take
seconds and no more memory than their paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from svertka.data.folders.file_names import class_name, has_picture_extension
from svertka.data.folders.part_names import PART_NAMES, UNDECIDED, part_of
from svertka.data.path_array import Paths, counted, labeled
from svertka.data.sources.groups import Groups
from svertka.data.sources.location import Place
from svertka.data.sources.readers import FolderReader, Reader
from svertka.data.sources.source import Source, name_of
from svertka.data.tables.column_names import ROLES, column_called, plain_name
from svertka.data.tables.find_files import MISSING, FileFinder
from svertka.data.tables.several_labels import ONE_HOT, OneHotTable, Table, one_hot_columns, refuse_several
from svertka.errors import DataError, UsageError
from svertka.records import Unreadable

_TOLD = 20  # rows of one reason that are named one by one when they are left out; more are only counted


class Rows(NamedTuple):
    """A batch of rows: a text for each and each role, and what the reader needs to know of each picture.

    Columns that the table lacks are None. `reasons`: why row i has no picture.
    """

    paths: list[str]
    labels: list[str]
    parts: list[str] | None
    groups: list[str] | None
    rows: np.ndarray
    reasons: dict[int, str]


class MissingColumn(DataError):
    """No column is known for a role that every table needs."""

    def __init__(self, message: str, role: str) -> None:
        self.role = role
        super().__init__(message)


@dataclass
class _Found:
    """What has been read of a table so far."""

    paths: list[Paths] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    codes: list[np.ndarray] = field(default_factory=list)
    parts: list[np.ndarray] = field(default_factory=list)
    groups: list[np.ndarray] = field(default_factory=list)
    keys: list[np.ndarray] = field(default_factory=list)
    label_names: dict[str, int] = field(default_factory=dict)
    group_names: dict[str, int] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)  # reason -> the first few
    counts: dict[str, int] = field(default_factory=dict)

    def leave(self, path: str, reason: str) -> None:
        """Leave one row out, and say why."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        told = self.left.setdefault(reason, [])
        if len(told) < _TOLD:
            told.append(path)

    def skipped(self, name: str) -> tuple[Unreadable, ...]:
        """What was left out: each by name, or where they are many only their number."""
        found = []
        for reason, paths in self.left.items():
            n = self.counts[reason]
            if n > _TOLD:
                found.append(Unreadable(name, f"{counted(n, 'row')}, such as {paths[0]}: {reason}", n))
            else:
                found += [Unreadable(path, reason) for path in paths]
        return tuple(found)


def roles_of(names: Sequence[str], place: Place, group_by: str | None) -> dict[str, str]:
    """Which column has which role.

    Raises:
        DataError: a column that is named is not there, or none is found for the path or the label.
    """
    given = {role: name for role, name in place.columns if role in ROLES}
    if "part" in given and column_called(given["part"], names) is None:
        given["part"] = given["part"].partition(":")[0]  # behind it stands what its words mean
    by_group = None if group_by is None else column_called(group_by, names)
    if by_group is not None:
        given["group"] = by_group
    elif group_by is not None:
        given["group"] = ""  # a pattern on the path takes the place of the column
    usual = {plain_name(name): name for name in reversed(names)}
    found: dict[str, str] = {}
    for role, known in ROLES.items():
        name = given.get(role, next((usual[u] for u in known if u in usual), ""))
        column = column_called(name, names) if name else None
        if name and column is None:
            raise DataError(f"{place.where} has no column {name!r}; it has {_listed(names)}.")
        if column is not None:
            found[role] = column
    if "label" not in found and "class" in dict(place.columns) and "path" in found:
        found["label"] = found["path"]  # a pattern finds the class there
    for role, what in (("path", "pictures"), ("label", "classes")):
        if role not in found:
            free = next((n for n in names if n and n not in found.values()), role)
            raise MissingColumn(
                f"{place.where} has no column that is known to hold {what}; its first line names {_listed(names)}. "
                f"Name it as in {place.naming(role, free)}.",
                role,
            )
    return found


def table_source(
    place: Place,
    reader: Reader,
    stamp: str,
    roles: dict[str, str],
    batches: Iterator[Rows],
    kind: str = "table",
    notes: Callable[[], list[str]] = list,
    sample: str = "image",
) -> Source:
    """The source that the rows of a table make.

    Args:
        place: how people call it.
        reader: of its pictures.
        stamp: what tells the table from others.
        roles: role -> column.
        batches: the rows, from first to last.
        kind: of the source.
        notes: gives sentences on what was guessed, once all rows are read.
        sample: the kind of its samples.

    Raises:
        DataError: no row can be used, or a part is unknown.
    """
    found, read = _Found(), 0
    pattern = class_search(place)
    for batch in batches:
        _take(found, batch if pattern is None else _by_pattern(batch, pattern), roles, place)
        read += len(batch.paths)
    if not found.rows or not (total := sum(map(len, found.rows))):
        raise DataError(_nothing(place, found, read))
    keep, paths = _one_row_each(found, Paths.joined(found.paths), total)
    rows, codes = np.concatenate(found.rows)[keep], np.concatenate(found.codes)[keep]
    used, codes = np.unique(codes, return_inverse=True)
    names = list(found.label_names)
    if pattern is None:
        refuse_several([names[i] for i in used.tolist()], roles["label"], place)
    classes, labels = labeled([names[i] for i in used.tolist()], codes)
    groups = None
    if "group" in roles:
        groups = Groups(roles["group"], Paths.of(found.group_names), np.concatenate(found.groups)[keep])
    return Source(
        name=name_of(place.where),
        kind=kind,
        where=str(place),
        classes=classes,
        paths=paths,
        labels=labels,
        parts=np.concatenate(found.parts)[keep],
        sizes=rows["size"].astype(np.int64) if "size" in (reader.row.names or ()) else np.zeros(len(rows), np.int64),
        reader=reader,
        rows=rows,
        skipped=found.skipped(Path(place.where).name),
        stamp=stamp,
        groups=groups,
        notes=tuple(notes()),
        sample=sample,
    )


def _take(found: _Found, batch: Rows, roles: dict[str, str], place: Place) -> None:
    """Add the usable rows of a batch."""
    reasons = batch.reasons
    for i, label in enumerate(batch.labels):
        if not label and i not in reasons:
            reasons[i] = "it has no label"
    keep = np.ones(len(batch.paths), bool)
    for i in sorted(reasons):
        keep[i] = False
        found.leave(batch.paths[i] or "(no path)", reasons[i])
    kept = np.flatnonzero(keep).tolist()
    known = found.label_names
    found.paths.append(Paths.of(batch.paths[i] for i in kept))
    found.rows.append(batch.rows[keep])
    found.keys.append(np.array([hash(batch.paths[i]) for i in kept], np.int64))
    found.codes.append(np.array([known.setdefault(class_name(batch.labels[i]), len(known)) for i in kept], np.int32))
    found.parts.append(_parts(batch.parts, kept, roles, place))
    if batch.groups is not None:
        numbers = found.group_names
        names = (batch.groups[i] for i in kept)
        found.groups.append(np.array([numbers.setdefault(n, len(numbers)) if n else -1 for n in names], np.int32))


def class_search(place: Place) -> re.Pattern[str] | None:
    """The pattern by which a place finds classes. Raises UsageError: it is none."""
    pattern = dict(place.columns).get("class")
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as why:
        raise UsageError(f"class={pattern} is no pattern: {why}.") from None


def _by_pattern(batch: Rows, pattern: re.Pattern[str]) -> Rows:
    """The same rows, their classes found by a pattern in the labels, or in the paths where there are none."""
    labels, reasons, first = [], dict(batch.reasons), pattern.groups > 0
    for i, label in enumerate(batch.labels):
        match = pattern.search(label)
        labels.append((match[first] or "").strip() if match else "")
        if not labels[-1] and label and i not in reasons:
            reasons[i] = f"the pattern of the class does not match {label[:80]!r}"
    return batch._replace(labels=labels, reasons=reasons)


def _parts(words: list[str] | None, kept: list[int], roles: dict[str, str], place: Place) -> np.ndarray:
    if words is None:
        return np.zeros(len(kept), np.uint8)
    own = _own_words(place)
    meant = {word: own.get(word.strip(), part_of(word) or (None if word.strip() else UNDECIDED)) for word in set(words)}
    for word, part in meant.items():
        if part is None:
            given = dict(place.columns).get("part", roles["part"])
            raise DataError(
                f"{place.where}: the column {roles['part']!r} holds {word!r}, which is no part of the data; known "
                f"are train, val and test. {place.naming('part', f'{given}:{word}=val')} says what it means, and "
                f"{place.naming('part', '')} leaves the column aside."
            )
    return np.array([meant[words[i]] for i in kept], np.uint8)


def _own_words(place: Place) -> dict[str, int]:
    """What odd words of a column of parts mean: part=Usage:PublicTest=val:PrivateTest=test.

    Raises:
        UsageError: what a word should mean is no part.
    """
    own = {}
    for pair in dict(place.columns).get("part", "").split(":")[1:]:
        word, _, name = pair.rpartition("=")
        if not word or not (part_of(name) or name in ("", "undecided")):
            raise UsageError(f"{place}: {pair!r} says no part; {word or 'WORD'}=val would.")
        own[word.strip()] = part_of(name)
    return own


def _one_row_each(found: _Found, paths: Paths, total: int) -> tuple[np.ndarray | slice, Paths]:
    """The rows that stay where a file has several, and the paths of those."""
    keys = np.concatenate(found.keys)
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if not len(again):
        return slice(None), paths
    codes, parts, names = np.concatenate(found.codes), np.concatenate(found.parts), list(found.label_names)
    rows_of: dict[str, list[int]] = {}
    for i in np.unique(np.concatenate([order[again], order[again + 1]])).tolist():
        rows_of.setdefault(paths[i], []).append(i)
    keep = np.ones(total, bool)
    for path, rows in rows_of.items():
        labels = list(dict.fromkeys(names[code] for code in codes[rows].tolist()))
        if len(labels) > 1:
            keep[rows] = False
            found.leave(path, f"it has several labels, {' and '.join(map(repr, labels[:3]))}, so none is believed")
            continue
        keep[rows[1:]] = False
        for i in rows[1:]:
            where = "" if parts[i] == parts[rows[0]] else f", and in another part ({PART_NAMES[parts[i]]})"
            found.leave(path, f"a second row for that file{where}")
    return np.flatnonzero(keep), Paths.of(paths[i] for i in np.flatnonzero(keep).tolist())


def _nothing(place: Place, found: _Found, read: int) -> str:
    if not read:
        return f"{place.where} is empty: it holds no row."
    reason, (first, *_) = next(iter(found.left.items()))
    hint = ""
    if reason == MISSING:
        hint = f" Relative paths start at the folder of the table; {place.naming('root', 'FOLDER')} names another."
    return f"{place.where}: none of its {counted(read, 'row')} can be used, such as {first}: {reason}.{hint}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")


# -- tables of paths
# ------------------------------------------------------------------------------------------


def open_table(path: Path, place: Place, group_by: str | None) -> Source:
    """The source of a table that names files: relative ones start at its folder, or at `root`.

    Raises:
        DataError: it is no table, lacks a column, or names nothing that can be read.
    """
    from svertka.data.tables.csv import CommaTable
    from svertka.data.tables.json_lines import JsonLines

    is_json = place.where.lower().endswith((".jsonl", ".ndjson"))
    table: Table = JsonLines(path, place) if is_json else CommaTable(path, place)
    table, roles = with_roles(table, place, group_by)
    return files_source(table, roles, path, place)


def with_roles(table: Table, place: Place, group_by: str | None) -> tuple[Table, dict[str, str]]:
    """The table and which column has which role; columns of zeros and ones are one of classes.

    Raises:
        DataError: as `roles_of`.
    """
    names, numbered = table.names, getattr(table, "numbered", False)
    if numbered:
        place = numbered_roles(table, place)
    try:
        return table, roles_of(names, place, group_by)
    except MissingColumn as why:
        paths = [name for name in names if plain_name(name) in ROLES["path"]] + list(dict(place.columns).values())
        columns = one_hot_columns(table, paths) if why.role == "label" else []
        if not columns:
            raise
    hot = OneHotTable(table, columns, place)
    return hot, roles_of(hot.names, place.naming("label", ONE_HOT), group_by)


def numbered_roles(table: Table, place: Place) -> Place:
    """Roles of the columns of a table without a line of names: the one with pictures, and the other if there is one."""
    given = {role: name for role, name in place.columns if role in ROLES}
    first = next(table.batches(table.names), ())
    pictures = [n for n, cells in zip(table.names, first, strict=False) if _hold_pictures(cells)]
    if "path" not in given and len(pictures) == 1:
        place = place.naming("path", pictures[0])
    others = [name for name in table.names if name not in {*pictures, *given.values()}]
    if "label" not in given and len(others) == 1:
        place = place.naming("label", others[0])
    return place


def _hold_pictures(cells: Sequence[str]) -> bool:
    return 2 * sum(map(has_picture_extension, cells[:100])) > len(cells[:100])


def files_source(table: Table, roles: dict[str, str], path: Path, place: Place) -> Source:
    """The source of the files that a table names."""
    root = dict(place.columns).get("root", "")
    if place.remote and not root:
        raise DataError(
            f"{place.where} names files beside it, which would be fetched one by one; put the bytes into the table "
            "(Parquet) or into tar shards, or name a folder of this machine as in "
            f"{place.naming('root', 'FOLDER')}."
        )
    folder = str(Path(path.parent, root).absolute())
    finder = FileFinder(folder)
    rows = _file_rows(table, roles, finder)
    return table_source(
        place, FolderReader(folder), folder, roles, rows, notes=lambda: [*table.notes, *finder.notes(place.where)]
    )


def _file_rows(table: Table, roles: dict[str, str], finder: FileFinder) -> Iterator[Rows]:
    order = [role for role in ROLES if role in roles]
    for columns in table.batches([roles[role] for role in order]):
        text: dict[str, Any] = dict(zip(order, columns, strict=True))
        rows, reasons = np.zeros(len(text["path"]), FolderReader.row), dict[int, str]()
        paths = []
        for i, name in enumerate(text["path"]):
            found = finder.find(name)
            paths.append(found.path)
            if found.reason:
                reasons[i] = found.reason
            else:
                rows[i] = found.row
        yield Rows(paths, text["label"], text.get("part"), text.get("group"), rows, reasons)

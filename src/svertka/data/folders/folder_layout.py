"""From directories to classes: which directory belongs to which class and to which part of the data.

Two layouts are known, `class/...` and `{train, validation, test}/class/...`, each below any number of folders that hold
nothing but the next one. What lies deeper than the class folder belongs to the class. A folder without samples counts
nowhere. Names that look like parts or like versions of the same classes are never taken for classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from svertka.common.messages import message
from svertka.data.folders.file_names import by_eye, class_name, in_words
from svertka.data.folders.part_names import PART_NAMES, PLAIN, TRAIN, UNDECIDED, is_container, is_short, part_of
from svertka.data.path_array import counted, natural
from svertka.errors import DataError

_FEW = 20  # samples beside folders that are taken for strays at most
_BESIDE = "it lies beside the class folders and so has no class"


class NoClassFolders(DataError):
    """Samples lie in one folder, with none for each class."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a directory means: a class and a part, or why its samples have none."""

    label: str = ""
    part: int = UNDECIDED
    reason: str = ""


@dataclass(slots=True)
class Layout:
    """The meaning of every directory, sentences on what was guessed or cannot be used, and where class folders lie."""

    meanings: dict[str, Meaning]
    notes: list[str] = field(default_factory=list)
    above: set[tuple[str, ...]] = field(default_factory=set)  # the folders whose folders are classes


@dataclass(slots=True)
class _Folder:
    """A folder with samples in it or below: `own` directly in it."""

    path: tuple[str, ...]
    own: int = 0
    below: dict[str, _Folder] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.own + sum(inner.total for inner in self.below.values())

    @property
    def holds_folders(self) -> bool:
        """Whether it holds nothing but folders, except for a few strays such as a logo."""
        return 2 * self.own < self.total and self.own <= min(_FEW, max(1, self.total // 10))

    def __str__(self) -> str:
        return "/".join(self.path)


def lay_out(samples: dict[str, int], where: str) -> Layout:
    """The meaning of every directory, from the number of samples in each.

    Raises:
        NoClassFolders: parts, or what looks like parts, hold samples themselves.
        DataError: folders look like parts or versions of the same classes, and which is meant nobody can tell.
    """
    root = _Folder(())
    for directory, number in samples.items():
        if number:
            _put(root, parts_of(directory), number)
    top = _chain(root)[-1]
    parts = _parts_below(top, where)
    layout = _in_parts(top, parts, where) if parts else _in_classes(top, where)
    meanings = {d: layout.meanings.get(d, Meaning(reason=_BESIDE)) for d in samples}
    return Layout(meanings, layout.notes, layout.above)


def _put(root: _Folder, path: tuple[str, ...], number: int) -> None:
    folder = root
    for depth, name in enumerate(path, 1):
        folder = folder.below.setdefault(name, _Folder(path[:depth]))
    folder.own = number


def parts_of(directory: str) -> tuple[str, ...]:
    """The names on the way to a directory; none for the top."""
    return tuple(directory.split("/")) if directory else ()


def _chain(folder: _Folder) -> list[_Folder]:
    """The folder, and those below as long as each holds nothing but the next one, which holds folders."""
    chain = [folder]
    while len(folder.below) == 1 and folder.holds_folders:
        (folder,) = folder.below.values()
        if not folder.holds_folders:
            break
        chain.append(folder)
    return chain


def _directories(folder: _Folder) -> Iterator[str]:
    yield str(folder)
    for inner in folder.below.values():
        yield from _directories(inner)


# -- parts
# ----------------------------------------------------------------------------------------------------------


def _parts_below(top: _Folder, where: str) -> dict[str, int]:
    """The folders of classes that are parts by their names; none where names alone would say so.

    Raises:
        NoClassFolders: what looks like parts holds samples itself.
    """
    named = {name: part for name in top.below if (part := part_of(name))}
    nested = {name: part for name, part in named.items() if top.below[name].below}
    if set(map(is_short, nested)) == {True} and len({*nested.values()}) < 2:
        nested = {}
    flat = {name: part for name, part in named.items() if name not in nested}
    if TRAIN in nested.values() or (nested and TRAIN not in flat.values() and len(named) == len(top.below)):
        others = [name for name, inner in top.below.items() if name not in named and inner.holds_folders]
        if set(nested.values()) == {TRAIN} and len(others) > 1:
            raise DataError(_part_or_class(top, next(iter(nested)), where))
        return nested
    like_parts = [name for name in top.below if name in named or is_container(name)]
    if top.below and (
        (len(like_parts) == len(top.below) and not any(top.below[name].holds_folders for name in like_parts))
        or (TRAIN in flat.values() and len({*flat.values()}) > 1)
    ):
        raise NoClassFolders(
            f"{where} has the folder{'s' * (len(like_parts) > 1)} {in_words(sorted(like_parts, key=natural))} without "
            "class folders inside; put the pictures of each class into a folder of its own there."
        )
    return {}


def _part_or_class(top: _Folder, name: str, where: str) -> str:
    others = [other for other in top.below if other != name]
    return (
        f"{where} has the folder {name!r}, which is called like a part of the data, beside {in_words(others)}, which "
        f"are not: if {name!r} holds the class folders, name {_address(where, top.below[name])}; if all of these are "
        f"classes, {where}#class={first_folder(len(top.path))} says so."
    )


def first_folder(depth: int) -> str:
    """A pattern for the name of the folder that lies `depth` folders down."""
    return "^([^/]+)/" if not depth else f"^(?:[^/]+/){{{depth}}}([^/]+)/"


def _in_parts(top: _Folder, parts: dict[str, int], where: str) -> Layout:
    chains = {name: _chain(top.below[name]) for name in parts}
    learned = {by_eye(label) for name, part in parts.items() if part == TRAIN for label in chains[name][-1].below}
    meanings, notes, above = dict[str, Meaning](), _told_parts(parts), set[tuple[str, ...]]()
    beside = f"it lies beside the folder{'s' * (len(parts) > 1)} {' and '.join(sorted(parts))}"
    for directory in _directories(top):
        meanings[directory] = Meaning(reason=beside)
    for name, part in parts.items():
        folder = max(chains[name], key=lambda one: (len(learned & {*map(by_eye, one.below)}), len(one.path)))
        if part != TRAIN and learned and _without_classes(folder, learned):
            notes.append(_unusable(top.below[name], part))
            meanings |= dict.fromkeys(_directories(top.below[name]), Meaning(reason=_BESIDE))
            continue
        meanings |= dict.fromkeys(_directories(top.below[name]), Meaning(reason=_BESIDE))
        above.add(folder.path)
        for label, inner in folder.below.items():
            meanings |= dict.fromkeys(_directories(inner), Meaning(class_name(label), part))
    if all(is_container(m.label) or part_of(m.label) for m in meanings.values() if m.label):
        raise NoClassFolders(
            f"{where} has the folders {in_words(sorted(parts, key=natural))} with "
            f"{in_words(sorted({m.label for m in meanings.values() if m.label}))} inside, but no class folders; put "
            "the pictures of each class into a folder of its own there."
        )
    notes += _told_same({label for name in parts for one in chains[name] for label in one.below})
    notes += _unused(top, parts)
    return Layout(meanings, notes, above)


def _without_classes(folder: _Folder, learned: set[str]) -> bool:
    """Whether the only folder of a part is a bag of samples, such as test/unknown."""
    if len(folder.below) != 1:
        return False
    (name,) = folder.below
    return by_eye(name) not in learned and bool(is_container(name) or part_of(name))


def _unused(top: _Folder, parts: dict[str, int]) -> list[str]:
    """What lies beside the parts and is not learned from: a warning each."""
    notes = []
    for name, inner in top.below.items():
        if name in parts:
            continue
        if part := part_of(name):
            notes.append(_unusable(inner, part))
        elif inner.holds_folders:
            notes.append(
                f"The folder {name!r} with {counted(inner.total, 'picture')} is not used: its name tells no part of "
                "the data; call it train, val or test, or name it as a place of its own."
            )
    return notes


def _unusable(folder: _Folder, part: int) -> str:
    return (
        f"The folder {folder.path[-1]!r} with {counted(folder.total, 'picture')} cannot be used as the "
        f"{PART_NAMES[part]} part: there are no class folders inside; put the pictures of each class into a folder of "
        "its own there."
    )


def _told_parts(parts: dict[str, int]) -> list[str]:
    """Names that were guessed at, in a sentence."""
    if all(name.lower() in PLAIN for name in parts) and len({*parts.values()}) == len(parts):
        return []
    meant = ", ".join(f"{name!r} for {PART_NAMES[part]}" for name, part in sorted(parts.items(), key=lambda p: p[1]))
    return [f"By their names these folders are taken for parts of the data: {meant}."]


# -- classes
# --------------------------------------------------------------------------------------------------------


def _in_classes(top: _Folder, where: str) -> Layout:
    nested = {name: inner for name, inner in top.below.items() if inner.holds_folders}
    shared = _shared({name: {*map(by_eye, _chain(inner)[-1].below)} for name, inner in nested.items()})
    if shared and 2 * len(shared) >= len(top.below):
        return _class_then_part(top, where, shared)
    for name in nested:
        if is_container(name):
            raise DataError(
                f"{where} has class folders in {name!r}, and pictures beside it in "
                f"{in_words([other for other in top.below if other != name])}: name the folder that holds the classes, "
                f"{_address(where, top.below[name])}."
            )
    meanings = {d: Meaning(class_name(name)) for name, inner in top.below.items() for d in _directories(inner)}
    notes = _told_folders(nested, where) if len(nested) < len(top.below) else []
    return Layout(meanings, notes + _told_same(top.below), {top.path})


def _told_same(labels: Iterable[str]) -> list[str]:
    """A sentence where several folders look the same, and so are one class."""
    same: dict[str, list[str]] = {}
    for label in sorted(labels):
        same.setdefault(class_name(label), []).append(label)
    return [
        f"{len(written)} folders are one class, {name!r}: their names look the same and are written differently "
        f"({' and '.join(map(ascii, written))})."
        for name, written in same.items()
        if len(written) > 1
    ]


def _shared(names: dict[str, set[str]]) -> list[str]:
    """Folders that hold folders of the same names: the largest set of two and more that share at least half of them."""
    best: list[str] = []
    for inner in names.values():
        alike = [
            name
            for name, other in names.items()
            if len(inner & other) > 1 and 2 * len(inner & other) >= len(inner | other)
        ]
        best = max(best, alike, key=len)
    return best if len(best) > 1 else []


def _class_then_part(top: _Folder, where: str, shared: list[str]) -> Layout:
    """`cat/{train,test}`, `dog/{train,test}`.

    Raises:
        DataError: the inner folders are no parts: then those above may be versions of the same classes.
    """
    inner = {name: part_of(name) for folder in top.below.values() for name in folder.below}
    if TRAIN not in inner.values() or not all(inner.values()) or any(folder.own for folder in top.below.values()):
        raise DataError(_versions(top, where, shared))
    if any(one.below for folder in top.below.values() for one in folder.below.values()):
        raise DataError(
            f"{where} holds {in_words(shared)}, each with parts of its own ({in_words(sorted(inner))}): name them one "
            f"by one, as {' '.join(_address(where, top.below[name]) for name in shared[:2])}."
        )
    meanings = {
        str(one): Meaning(class_name(label), inner[name])
        for label, folder in top.below.items()
        for name, one in folder.below.items()
    }
    return Layout(
        meanings, _told_parts(inner) or ["Each class folder has parts of its own: they are kept."], {top.path}
    )


def _versions(top: _Folder, where: str, shared: list[str]) -> str:
    names = sorted(_chain(top.below[shared[0]])[-1].below, key=natural)
    return (
        f"The folders {in_words(shared)} of {where} hold folders of the same names ({in_words(names)}), so they look "
        f"like parts or versions of the data and not like classes. To learn from one of them name "
        f"{_address(where, top.below[shared[0]])}, from several one after the other; if they are the classes, "
        f"{where}#class={first_folder(len(top.path))} says so."
    )


def _address(where: str, folder: _Folder) -> str:
    """How a person names a folder below a place: its path; in an archive after a #."""
    return str(Path(where, *folder.path)) if Path(where).is_dir() else f"{where}#root={folder}"


def _told_folders(nested: dict[str, _Folder], where: str) -> list[str]:
    """Classes that hold nothing but folders beside others that hold samples: perhaps those folders are the classes."""
    return [
        f"The class {name!r} holds {counted(len(inner.below), 'folder')}, such as {min(inner.below, key=natural)!r}, "
        f"beside classes that hold pictures; if those are the classes, name {_address(where, inner)}."
        for name, inner in nested.items()
        if len(inner.below) > 1
    ]


def twins(classes: Iterable[str]) -> list[str]:
    """A sentence for each set of classes that differ only by case, or by letters that look alike."""
    same: dict[str, list[str]] = {}
    for name in sorted(classes, key=natural):
        same.setdefault(by_eye(name), []).append(name)
    notes: list[str] = []
    for names in same.values():
        if len(names) > 1:
            by_case = len({name.casefold() for name in names}) == 1
            both = " and ".join(map(repr, names))
            notes.append(
                message(
                    "twins",
                    "The classes {names} differ only by case; if they are one class, join their folders.",
                    names=both,
                )
                if by_case
                else message(
                    "twins.alike",
                    "The classes {names} differ only by letters that look alike (Latin and others); if they are one "
                    "class, join their folders.",
                    names=both,
                )
            )
    return notes

"""From directories to classes: which directory belongs to which class and to which part of the data.

Two layouts are known, `class/...` and `{train, val | valid | validation, test}/class/...`, each below any
number of folders that hold nothing but the next one. What lies deeper than the class folder belongs to the
class.
"""

from __future__ import annotations

from dataclasses import dataclass

from svertka.data.folders.file_tree import Tree
from svertka.data.path_array import natural
from svertka.errors import DataError
from svertka.kinds.image.formats import EXTENSIONS

UNDECIDED, TRAIN, VALIDATION, TEST = range(4)
SPLITS = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}
PART_NAMES = ("undecided", "train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a directory means: a class and a part, or why its pictures have none."""

    label: str = ""
    part: int = UNDECIDED
    reason: str = ""


def lay_out(tree: Tree, where: str) -> dict[str, Meaning]:
    """The meaning of every directory of the tree.

    Raises:
        DataError: `train` and `val` hold pictures themselves, with no class folders.
    """
    directories = list(tree.directories)
    top: tuple[str, ...] = ()
    while True:
        below = _below(directories, top)
        nested = {name for name, inner in below.items() if any(len(d) > len(top) + 1 for d in inner)}
        splits = {name for name in nested if name.lower() in SPLITS}
        if splits and (splits == set(below) or any(SPLITS[name.lower()] == TRAIN for name in splits)):
            return {d: _meaning_in_split(_parts(d), top, splits) for d in directories}
        wrapped = len(below) == 1 and nested and not (_pictures(tree, top) or _pictures(tree, (*top, *below)))
        if not wrapped:
            break
        top = (*top, *below)
    if below and all(name.lower() in SPLITS for name in below):
        names = " and ".join(repr(name) for name in sorted(below))
        raise DataError(
            f"{where} has the folder{'s' * (len(below) > 1)} {names} without class folders inside; "
            "put the pictures of each class into a folder of its own there."
        )
    return {d: _meaning_in_class(_parts(d), top) for d in directories}


def _meaning_in_class(parts: tuple[str, ...], top: tuple[str, ...]) -> Meaning:
    if len(parts) > len(top) and parts[: len(top)] == top:
        return Meaning(label=parts[len(top)])
    return Meaning(reason="it lies beside the class folders and so has no class")


def _meaning_in_split(parts: tuple[str, ...], top: tuple[str, ...], splits: set[str]) -> Meaning:
    depth = len(top)
    if len(parts) <= depth or parts[:depth] != top or parts[depth] not in splits:
        return Meaning(reason=f"it lies beside the folder{'s' * (len(splits) > 1)} {' and '.join(sorted(splits))}")
    if len(parts) == depth + 1:
        return Meaning(reason="it lies beside the class folders and so has no class")
    return Meaning(label=parts[depth + 1], part=SPLITS[parts[depth].lower()])


def _parts(directory: str) -> tuple[str, ...]:
    return tuple(directory.split("/")) if directory else ()


def _below(directories: list[str], top: tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
    """The folders directly below `top`, each with all directories in it that hold files."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for directory in directories:
        parts = _parts(directory)
        if len(parts) > len(top) and parts[: len(top)] == top:
            found.setdefault(parts[len(top)], []).append(parts)
    return found


def _pictures(tree: Tree, parts: tuple[str, ...]) -> bool:
    directory = tree.directories.get("/".join(parts))
    return directory is not None and any(has_picture_extension(name) for name in directory.names)


def has_picture_extension(name: str) -> bool:
    """Whether the name alone makes the file a picture."""
    return extension(name) in EXTENSIONS


def extension(name: str) -> str:
    """The extension in lower case without its dot; "" where there is none.

    >>> extension("Cat.JPG"), extension("README")
    ('jpg', '')
    """
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def twins(classes: tuple[str, ...]) -> list[str]:
    """A sentence for each set of classes that differ only by case."""
    same: dict[str, list[str]] = {}
    for name in sorted(classes, key=natural):
        same.setdefault(name.casefold(), []).append(name)
    return [
        f"The classes {' and '.join(map(repr, names))} differ only by case; if they are one class, join their folders."
        for names in same.values()
        if len(names) > 1
    ]

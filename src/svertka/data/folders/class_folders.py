"""A source of class folders: from a tree of files, of a folder or an archive, to columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from svertka.data.folders.file_tree import Tree
from svertka.data.folders.folder_layout import PART_NAMES, Meaning, extension, has_picture_extension, lay_out
from svertka.data.path_array import Paths, counted, labeled, natural
from svertka.data.sources.readers import Reader
from svertka.data.sources.source import Source, name_of
from svertka.errors import DataError, ReadError
from svertka.kinds.image.formats import other_kind, picture_format

_PACKED = (".tar", ".zip", ".tgz", ".gz", ".parquet")
_TOLD = 20  # files of a folder that are named one by one when they are left out; more are only counted
_TRIED = 50  # files of one unknown extension that are opened before all of it is taken for no pictures


def arranged(tree: Tree, reader: Reader, where: str, stamp: str = "") -> Source:
    """Sort the files of a tree into classes and parts.

    Raises:
        DataError: there is no picture in a class folder.
    """
    meanings = lay_out(tree, where)
    kinds: Counter[str] = Counter()
    order = sorted(meanings, key=lambda d: (meanings[d].part, natural(meanings[d].label), natural(d)))
    kept: list[tuple[Meaning, int]] = []
    rows = np.empty(sum(map(len, tree.directories.values())), reader.row)

    def pictures() -> Iterator[str]:
        """The paths in order; their rows are put into place, and the tree is taken apart as its files leave it."""
        taken = 0
        for directory in order:
            names, own = _pictures_of(tree, directory, reader, kinds)
            if meanings[directory].reason:
                _leave_out(tree, directory, names, meanings[directory].reason)
            elif names:
                kept.append((meanings[directory], len(names)))
                rows[taken : taken + len(names)] = own
                taken += len(names)
                yield from (f"{directory}/{name}" if directory else name for name in names)
            del own
            tree.directories[directory].clear()

    paths = Paths.of(pictures())
    _name_empty(tree, meanings, {(meant.label, meant.part) for meant, _ in kept})
    if not kept:
        raise DataError(_nothing(where, kinds, tree))
    names = list(dict.fromkeys(meant.label for meant, _ in kept))
    classes, label_of = labeled(names, np.arange(len(names)))
    index = dict(zip(names, label_of.tolist(), strict=True))
    rows = rows[: len(paths)]
    lengths = [n for _, n in kept]
    return Source(
        name=name_of(where),
        kind=reader.kind,
        where=where,
        classes=classes,
        paths=paths,
        labels=np.repeat(np.array([index[meant.label] for meant, _ in kept], np.int32), lengths),
        parts=np.repeat(np.array([meant.part for meant, _ in kept], np.uint8), lengths),
        sizes=rows["size"],
        skipped=tuple(tree.skipped),
        reader=reader,
        rows=rows,
        stamp=stamp,
    )


def _pictures_of(tree: Tree, directory: str, reader: Reader, kinds: Counter[str]) -> tuple[list[str], np.ndarray]:
    """The pictures of one directory in order, with their rows; the rest is left out with a reason."""
    names, rows = tree.directories[directory].ordered(reader.row)
    if all(map(has_picture_extension, names)) and len(set(names)) == len(names):
        return names, rows
    keep, left, tried = [], dict[str, list[str]](), Counter[str]()
    for i, name in enumerate(names):
        reason = ""
        if i and name == names[i - 1]:
            reason = "a second file of that name in the archive"
        elif not has_picture_extension(name):
            kind = extension(name)
            if tried[kind] < _TRIED:
                reason = _no_picture(reader, f"{directory}/{name}" if directory else name, rows[i])
                tried[kind] += bool(reason)
            else:
                reason = f"no picture (.{kind})" if kind else "no picture"
            if reason:
                kinds["." + kind if kind else "without extension"] += 1
        if reason:
            left.setdefault(reason, []).append(name)
        else:
            keep.append(i)
    for reason, others in left.items():
        _leave_out(tree, directory, others, reason)
    return [names[i] for i in keep], rows[keep]


def _no_picture(reader: Reader, path: str, row: np.void) -> str:
    """Why a file without the extension of a picture is none; "" where its content is one."""
    try:
        head = reader.head(path, row)
    except ReadError as why:
        return why.reason
    if picture_format(head):
        return ""
    return f"no picture: {other_kind(head)}"


def _leave_out(tree: Tree, directory: str, names: list[str], reason: str) -> None:
    """List files as left out: each by name, or where they are many only their number."""
    prefix = directory + "/" if directory else ""
    if len(names) > _TOLD:
        tree.skip(prefix or "./", f"{counted(len(names), 'file')}: {reason}")
        return
    for name in names:
        tree.skip(prefix + name, reason)


def _name_empty(tree: Tree, meanings: dict[str, Meaning], kept: set[tuple[str, int]]) -> None:
    """Class folders in which nothing was a picture make no class; they are listed once each."""
    for label, part in sorted({(p.label, p.part) for p in meanings.values() if p.label} - kept):
        folder = f"{label}/" if not part else f"{PART_NAMES[part]}/{label}/"
        tree.skip(folder, "a folder without pictures makes no class")


def _nothing(where: str, kinds: Counter[str], tree: Tree) -> str:
    if kinds:
        found = " and ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(3))
        packed = next((kind for kind, _ in kinds.most_common() if kind in _PACKED), None)
        hint = f" What is packed is read when it is named, as {where}/*{packed}." if packed else ""
        return f"There are no pictures in {where}, only other files ({found}).{hint}"
    if tree.skipped:
        example = next((f", for example {u.path}: {u.reason}" for u in tree.skipped), "")
        return f"There are no pictures in class folders in {where}{example}."
    return f"{where} is empty; it should hold one folder of pictures for each class."

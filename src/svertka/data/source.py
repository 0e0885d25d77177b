"""A source: where pictures and their classes come from, listed but not yet read.

Folders, zip and tar archives and the built-in digits all become the same columns: a path, a label, a part and
a size for each file, and a reader that fetches its bytes. Nothing is unpacked, and nothing is written beside
the user's files.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from svertka.data.archives import list_tar, list_zip
from svertka.data.columns import Paths, counted, natural
from svertka.data.digits import digits_table
from svertka.data.folders import list_folder
from svertka.data.layout import (
    PART_NAMES,
    TEST,
    TRAIN,
    VALIDATION,
    Place,
    extension,
    has_picture_extension,
    lay_out,
    twins,
)
from svertka.data.readers import DigitsReader, FolderReader, Reader, TarReader, ZipReader
from svertka.data.tree import Tree
from svertka.data.unpacked import compression, unpacked_tar
from svertka.errors import DataError, ReadError
from svertka.records import Unreadable
from svertka.signals.formats import other_kind, picture_format

_TOLD = 20  # files of a folder that are named one by one when they are left out; more are only counted
_TRIED = 50  # files of one unknown extension that are opened before all of it is taken for no pictures


@dataclass(frozen=True)
class Source:
    """Pictures with their classes, listed and ready to be read.

    Attributes:
        name: how people call it.
        kind: "folder", "zip", "tar" or "digits".
        where: the path, or the built-in name.
        classes: names of classes, in natural order.
        paths: of each picture, as people know it.
        labels: int32 (n,), index into `classes`; -1 where there is none.
        parts: uint8 (n,), 0 undecided, 1 train, 2 validation, 3 test.
        sizes: int64 (n,), bytes.
        skipped: files and folders that were left out, with reasons.
        notes: sentences on what looks odd but is allowed.
        reader, rows: what fetches the bytes, and what it needs to know of each file.
        stamp: what tells this place from others whose files look the same from outside.
    """

    name: str
    kind: str
    where: str
    classes: tuple[str, ...]
    paths: Paths
    labels: np.ndarray
    parts: np.ndarray
    sizes: np.ndarray
    skipped: tuple[Unreadable, ...]
    reader: Reader = field(repr=False)
    rows: np.ndarray = field(repr=False)
    stamp: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, i: int) -> bytes:
        """The bytes of one file.

        Raises:
            ReadError: it has vanished or changed, or may not be read.
        """
        return self.reader.fetch(self.paths[i], self.rows[i])

    def identity(self) -> bytes:
        """16 bytes that differ when a file is added, renamed or changed (as far as its outside tells)."""
        digest = hashlib.blake2b(f"{self.kind}\0{self.stamp}\0".encode("utf-8", "surrogateescape"), digest_size=16)
        digest.update(self.paths.ends.tobytes())
        digest.update(self.paths.blob)
        digest.update(self.rows.tobytes())
        return digest.digest()


def open_source(where: str | Path, least_classes: int = 2) -> Source:
    """List a folder, a .zip or .tar(.gz, .bz2, .xz) archive, or the built-in "digits".

    Args:
        where: a path, or the name of a built-in source; a folder of that name is "./digits".
        least_classes: fewer classes than this are an error.

    Raises:
        DataError: there is no such place, nothing usable in it, or its folders contradict each other.
    """
    if str(where) == "digits":
        return _digits()
    path = Path(where)
    if path.is_dir():
        place = str(path.absolute())
        return _arrange(list_folder(path), FolderReader(place), path, least_classes, stamp=place)
    if path.is_file():
        return _open_archive(path, least_classes)
    raise _missing(path)


def _open_archive(path: Path, least_classes: int) -> Source:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as why:
        raise DataError(f"{path} cannot be opened ({why.strerror}).") from why
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or path.suffix.lower() == ".zip":
        # the rows of a zip carry checksums: the same archive in another place is the same source
        return _arrange(list_zip(path), ZipReader(str(path.absolute())), path, least_classes)
    packed = compression(head)
    if packed or head[257:262] == b"ustar" or path.suffix.lower() == ".tar":
        facts = path.stat()
        stamp = f"{path.absolute()}\0{facts.st_size}\0{facts.st_mtime_ns}"
        plain = unpacked_tar(path, packed) if packed else path
        return _arrange(list_tar(plain), TarReader(str(plain.absolute())), path, least_classes, stamp)
    kind = picture_format(head)
    found = f"it is a single picture ({kind})" if kind else other_kind(head[:64])
    raise DataError(f"{path} is neither a folder nor an archive (.zip, .tar, .tar.gz): {found}.")


def _missing(path: Path) -> DataError:
    try:
        there = [entry.name for entry in path.absolute().parent.iterdir()]
    except OSError:
        return DataError(f"There is no folder or archive {path} (nor the folder {path.parent}).")
    near = difflib.get_close_matches(path.name, there, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(str(path.with_name(n)) for n in near)}?" if near else ""
    return DataError(f"There is no folder or archive {path}.{hint}")


# -- from a tree to columns
# ---------------------------------------------------------------------------------------


def _arrange(tree: Tree, reader: Reader, where: Path, least_classes: int, stamp: str = "") -> Source:
    """Sort the files of a tree into classes and parts."""
    places = lay_out(tree, str(where))
    kinds: Counter[str] = Counter()
    order = sorted(places, key=lambda d: (places[d].part, natural(places[d].label), natural(d)))
    kept: list[tuple[str, Place, list[str], np.ndarray]] = []
    for directory in order:
        names, rows = _pictures_of(tree, directory, reader, kinds)
        if places[directory].reason:
            _leave_out(tree, directory, names, places[directory].reason)
        elif names:
            kept.append((directory, places[directory], names, rows))
    _name_empty(tree, places, {(place.label, place.part) for _, place, _, _ in kept})
    classes = _classes([place for _, place, _, _ in kept], str(where), least_classes, kinds, tree)
    index = {name: i for i, name in enumerate(classes)}
    rows = np.concatenate([rows for *_, rows in kept])
    lengths = [len(names) for _, _, names, _ in kept]
    return Source(
        name=where.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".zip") or str(where),
        kind=reader.kind,
        where=str(where),
        classes=classes,
        paths=Paths.of(f"{d}/{name}" if d else name for d, _, names, _ in kept for name in names),
        labels=np.repeat(np.array([index[place.label] for _, place, _, _ in kept], np.int32), lengths),
        parts=np.repeat(np.array([place.part for _, place, _, _ in kept], np.uint8), lengths),
        sizes=rows["size"].astype(np.int64),
        skipped=tuple(tree.skipped),
        reader=reader,
        rows=rows,
        stamp=stamp,
        notes=tuple(twins(classes)),
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


def _name_empty(tree: Tree, places: dict[str, Place], kept: set[tuple[str, int]]) -> None:
    """Class folders in which nothing was a picture make no class; they are listed once each."""
    for label, part in sorted({(p.label, p.part) for p in places.values() if p.label} - kept):
        folder = f"{label}/" if not part else f"{PART_NAMES[part]}/{label}/"
        tree.skip(folder, "a folder without pictures makes no class")


def _classes(places: list[Place], where: str, least: int, kinds: Counter[str], tree: Tree) -> tuple[str, ...]:
    by_part: dict[int, set[str]] = {}
    for place in places:
        by_part.setdefault(place.part, set()).add(place.label)
    names = set().union(*by_part.values())
    if not names:
        raise DataError(_nothing(where, kinds, tree))
    if TRAIN in by_part:
        for part in (VALIDATION, TEST):
            _same_classes(by_part[TRAIN], by_part.get(part, set()), PART_NAMES[part], where)
    if len(names) < least:
        (only,) = names
        raise DataError(
            f"{where} holds one class only ({only!r}); a classifier needs at least two, each in a folder of its own."
        )
    return tuple(sorted(names, key=natural))


def _same_classes(train: set[str], other: set[str], part: str, where: str) -> None:
    for name in sorted(other - train, key=natural):
        near = difflib.get_close_matches(name.lower(), [t.lower() for t in train], n=1, cutoff=0.8)
        hint = "".join(f" (it has {t!r})" for t in sorted(train) if near and t.lower() == near[0])
        raise DataError(
            f"{where}: the {part} folder has the class {name!r}, which the train folder lacks{hint}; "
            "a network cannot name what it has not learned."
        )


def _nothing(where: str, kinds: Counter[str], tree: Tree) -> str:
    if kinds:
        found = " and ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(3))
        return f"There are no pictures in {where}, only other files ({found})."
    if any(tree.directories.values()) or tree.skipped:
        example = next((f", for example {u.path}: {u.reason}" for u in tree.skipped), "")
        return f"There are no pictures in class folders in {where}{example}."
    return f"{where} is empty; it should hold one folder of pictures for each class."


# -- built in
# -----------------------------------------------------------------------------------------------------


def _digits() -> Source:
    """1,797 handwritten digits of 8x8 pixels: scikit-learn's copy of the test part of UCI's optdigits."""
    table = digits_table()  # (n, 65): 64 pixels of 0..16, then the label
    order = np.argsort(table[:, 64], kind="stable")
    rows = np.zeros(len(table), DigitsReader.row)
    rows["pixels"] = table[order, :64]
    labels = table[order, 64].astype(np.int32)
    n = len(table)
    return Source(
        name="digits",
        kind="digits",
        where="digits",
        classes=tuple("0123456789"),
        paths=Paths.of(f"{labels[i]}/{order[i]:04d}.pgm" for i in range(n)),
        labels=labels,
        parts=np.zeros(n, np.uint8),
        sizes=np.full(n, 64 + len(b"P5 8 8 255\n"), np.int64),
        skipped=(),
        reader=DigitsReader(),
        rows=rows,
    )

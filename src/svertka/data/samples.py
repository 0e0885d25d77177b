"""What a person gives a model to look at: one sample in any form, or many.

A str, a Path, bytes, an open file, a picture of Pillow, an array or a tensor is one; an iterable of these is many, and
so is an array (n, h, w, c). A folder, an archive, a table or an address stands for the pictures in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka.data.folders.archive_listing import list_tar, list_zip
from svertka.data.folders.decompress import compression, unpacked_tar
from svertka.data.folders.file_names import has_picture_extension
from svertka.data.folders.file_tree import Tree
from svertka.data.folders.unlabeled_files import picture_files
from svertka.data.path_array import natural
from svertka.data.sources.location import TABLES, is_address
from svertka.data.sources.open import open_source
from svertka.data.sources.readers import Reader, TarReader, ZipReader, as_listed
from svertka.data.tables.row_kind import row_files, row_kind
from svertka.data.tables.rows import row_samples
from svertka.data.tables.separators import is_text_table
from svertka.errors import DataError, ReadError, UsageError
from svertka.kinds import kind
from svertka.kinds.base import Kind, Preprocess
from svertka.kinds.image import in_memory
from svertka.kinds.image.color_modes import Pixels
from svertka.kinds.image.decoder import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")
FORMS = "a path, bytes, an open file, a picture of Pillow, an array or a tensor, or an iterable of these"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: what it is called, and the path, bytes, file, picture, array or tensor that it is.

    reader, row: what fetches it, where it lies in an archive.
    """

    name: str
    value: Any
    reader: Reader | None = None
    row: Any = None

    def stored(self, preprocess: Preprocess) -> NDArray[Any]:
        """As a store holds it: of a picture uint8 (height, width, channels).

        Raises:
            ReadError: it cannot be read.
            UsageError: an array that is no sample.
        """
        how = kind(preprocess.kind)
        if not in_memory.is_picture(self.value):
            return how.read_sized(self.data(), preprocess, self.name)[0]
        own = in_memory.pixels_of(self.value, self.name) if how.name == "image" else in_memory.as_array(self.value)
        return how.fit(own, preprocess)

    def shown(self, least: tuple[int, int]) -> Pixels:
        """At the size that it has, or a smaller one of at least (height, width) `least`: uint8 (h, w) or (h, w, 3).

        Raises:
            ReadError: it cannot be read as a picture.
        """
        if in_memory.is_picture(self.value):
            return in_memory.pixels_of(self.value, self.name)
        return decode(self.data(), self.name, least=least)

    def data(self) -> bytes:
        """The bytes of its file. Raises ReadError."""
        value = self.value
        try:
            if self.reader is not None:
                return self.reader.fetch(value, self.row)
            if isinstance(value, ReadError):
                raise value
            if isinstance(value, bytes | bytearray | memoryview):
                return bytes(value)
            if isinstance(value, str | os.PathLike):
                return Path(value).read_bytes()
            value.seek(0)  # as Pillow does: who has just written it stands at its end
            return bytes(value.read())
        except IsADirectoryError as why:
            raise ReadError(self.name, "is a folder, not a picture") from why
        except (OSError, ValueError) as why:  # ValueError: a closed file, a name that no file can have
            raise ReadError(self.name, (getattr(why, "strerror", None) or str(why)).lower()) from why


def open_samples(given: Any, preprocess: Preprocess) -> Iterator[Sample]:
    """The samples that are meant, in order. What has a length is checked as a whole before the first comes.

    Args:
        given: one sample or many.
        preprocess: of the kind that is expected.

    Raises:
        UsageError: it is no sample, such as a number, or an array of another form.
        DataError: a folder, archive or table without pictures, or one that cannot be read.
    """
    how = kind(preprocess.kind)
    rows: list[Any] | None = [*given] if _is_many(given) and hasattr(given, "__len__") else None
    if rows is not None:
        for number, one in enumerate(rows):
            _check(one, f"{how.one} {number + 1}", how)
        given = rows
    elif not _is_many(given):
        _check(given, f"The {how.one}", how)
    return _numbered(given if _is_many(given) else [given], preprocess)


def batched(given: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    """Lists of `size` in order, and what is left."""
    given = iter(given)
    while group := list(islice(given, size)):
        yield group


def _numbered(given: Iterable[Any], preprocess: Preprocess) -> Iterator[Sample]:
    number = 0
    for one in given:
        for sample in _expanded(one, number + 1, preprocess):
            number += 1
            yield sample


def _expanded(one: Any, number: int, preprocess: Preprocess) -> Iterator[Sample]:
    how = kind(preprocess.kind)
    name = f"{how.one} {number}"
    if isinstance(one, str | os.PathLike):
        yield from _of_place(os.fspath(one), preprocess)
        return
    _check(one, name, how)
    if in_memory.is_picture(one) and getattr(one, "ndim", 0) == (4 if how.name == "image" else 3):
        yield from (Sample(f"{how.one} {number + k}", picture) for k, picture in enumerate(in_memory.as_array(one)))
        return
    if hasattr(one, "read"):
        name = one.name if isinstance(getattr(one, "name", None), str) else name
        one = one if one.seekable() else one.read()
    yield Sample(name, one)


def _is_many(given: Any) -> bool:
    """Whether it is an iterable of samples: none of the forms that are one, and no array of numbers."""
    if isinstance(given, str | os.PathLike | bytes | bytearray | memoryview | dict) or hasattr(given, "read"):
        return False
    if in_memory.is_picture(given):
        return getattr(getattr(given, "dtype", None), "kind", "") in ("U", "S", "O", "T")  # of names
    return isinstance(given, Iterable)


def _check(one: Any, name: str, how: Kind) -> None:
    if isinstance(one, str | os.PathLike | bytes | bytearray | memoryview):
        return
    if hasattr(one, "read"):
        if hasattr(one, "encoding"):
            raise UsageError(f"{name} is a file that was opened as text; open it with mode 'rb'.")
        return
    if not in_memory.is_picture(one):
        raise UsageError(f"{name} is of type {type(one).__name__}; what can be looked at is {FORMS}.")
    if hasattr(one, "dtype") and how.name == "image":
        array = in_memory.as_array(one)
        in_memory.check(array, name, (2, 3, 4))


def _of_place(where: str | bytes, preprocess: Preprocess) -> Iterator[Sample]:
    """A picture file, or the pictures of a folder, an archive, a table or an address."""
    place = os.fsdecode(where)
    bare = place.partition("#")[0].lower()
    how = kind(preprocess.kind)
    rows = _row_files(Path(place)) if place and how.row_extensions else []
    if rows:
        yield from (Sample(name, data) for path in rows for name, data in row_samples(path, preprocess))
    elif place and not is_address(place) and Path(place).is_dir():
        yield from (Sample(str(path), path) for path in picture_files(Path(place)))
    elif bare.endswith(ARCHIVES) and not is_address(place) and Path(place).is_file():
        yield from _of_archive(Path(place))
    elif (
        is_address(place)
        or _within_archive(place)
        or (bare.endswith(TABLES) and (not bare.endswith(".txt") or is_text_table(Path(place))))
    ):
        source = open_source(place, least_classes=1)
        paths = (source.paths[i] for i in range(len(source)))
        yield from (Sample(path, path, source.reader, source.rows[i]) for i, path in enumerate(paths))
    else:
        yield Sample(place, where)


def _within_archive(place: str) -> bool:
    """Whether it is a folder or a set within an archive, as `train` takes it: `ucr.zip/GunPoint`."""
    parents = Path(place).parents if place and "\0" not in place else ()
    return any(parent.name.lower().endswith(ARCHIVES) and parent.is_file() for parent in parents)


def _row_files(path: Path) -> list[Path]:
    """The files whose rows are samples: this one, or those of a folder."""
    if path.is_dir():
        return row_files(path, [entry.name for entry in path.iterdir()])
    return [path] if path.is_file() and row_kind(path) is not None else []


def _of_archive(path: Path) -> Iterator[Sample]:
    with path.open("rb") as file:
        head = file.read(512)
    reader: Reader
    if path.suffix.lower() == ".zip":
        tree, reader = list_zip(path), ZipReader(as_listed(path))
    else:
        packed = compression(head)
        plain = unpacked_tar(path, packed) if packed else path
        tree, reader = list_tar(plain), TarReader(as_listed(plain))
    found = sorted(_members(tree, reader), key=lambda member: natural(member[0]))
    if not found:
        raise DataError(f"There are no pictures in {path}.")
    yield from (Sample(f"{path}/{name}", name, reader, row) for name, row in found)


def _members(tree: Tree, reader: Reader) -> Iterator[tuple[str, Any]]:
    for folder, directory in tree.directories.items():
        names, rows = directory.ordered(reader.row)
        for name, row in zip(names, rows, strict=True):
            if has_picture_extension(name):
                yield (f"{folder}/{name}" if folder else name), row

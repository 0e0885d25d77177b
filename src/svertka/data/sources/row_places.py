"""Folders and zip archives that hold files whose rows are samples."""

from __future__ import annotations

from pathlib import Path

from svertka.data.folders.archive_listing import list_zip
from svertka.data.folders.decompress import unpacked_members
from svertka.data.folders.file_names import extension, has_picture_extension
from svertka.data.folders.file_tree import Tree
from svertka.data.path_array import counted
from svertka.data.sources.location import Place
from svertka.data.sources.source import Source
from svertka.data.tables.row_kind import row_files
from svertka.data.tables.rows import open_rows
from svertka.errors import DataError
from svertka.kinds import KINDS, kind


def rows_of_folder(tree: Tree, path: Path, place: Place) -> Source | None:
    """The source of files directly in a folder whose rows are samples; None where there are none.

    Raises:
        DataError: the folder holds pictures as well.
    """
    top = tree.directories.get("")
    loose = [] if top is None else [name for name in top.names if not has_picture_extension(name)]
    found = row_files(path, loose) if loose else []
    if not found:
        return None
    pictures = sum(has_picture_extension(name) for d in tree.directories.values() for name in d.names)
    if pictures:
        raise DataError(
            f"{place.where} holds {counted(pictures, 'picture')} and {counted(len(found), 'file')} of series: one "
            f"network learns from one kind. Name one of them, such as {path / found[0].name}, or move it elsewhere."
        )
    return open_rows(found, place)


def rows_within_zip(where: str) -> Source | None:
    """The set of a zip archive that is named as a folder in it; None where `where` is no such name."""
    at = where.lower().find(".zip/")
    archive = Path(where[: at + 4])
    if at < 0 or not archive.is_file():
        return None
    return rows_of_zip(archive, Place(where), where[at + 5 :].strip("/"))


def rows_of_zip(archive: Path, place: Place, inner: str | None = None) -> Source | None:
    """The samples in rows of files of a zip archive; None where there are none, or pictures as well.

    Raises:
        DataError: there are several sets, and none is named; or the one that is named is not there.
    """
    tree = list_zip(archive)
    names = [name for d in tree.directories.values() for name in d.names]
    if inner is None and any(map(has_picture_extension, names)):
        return None
    sets = {d: list(there.names) for d, there in tree.directories.items() if any(map(_may_hold_rows, there.names))}
    if not sets:
        return None
    if inner is None and len(sets) > 1:
        known = ", ".join(sorted(sets))
        raise DataError(f"{place.where} holds {len(sets)} sets ({known}): name one, as in {place.where}/{min(sets)}.")
    chosen = next(iter(sets)) if inner is None else inner
    if chosen not in sets:
        raise DataError(f"{archive} has no set {chosen!r}; it has {', '.join(sorted(sets))}.")
    folder = unpacked_members(archive, chosen, [name for name in sets[chosen] if _may_hold_rows(name)])
    found = row_files(folder, [path.name for path in folder.iterdir()])
    return open_rows(found, place) if found else None


def _may_hold_rows(name: str) -> bool:
    return extension(name) in {e for k in KINDS for e in kind(k).row_extensions}

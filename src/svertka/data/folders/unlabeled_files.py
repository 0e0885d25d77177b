"""Pictures without labels: what `predict`, `embed` and `explain` find in a folder."""

from __future__ import annotations

from pathlib import Path

from svertka.data.folders.class_folders import Left, Listing, pictures_of
from svertka.data.folders.folder_listing import list_folder
from svertka.data.path_array import counted, natural
from svertka.data.sources.readers import FolderReader
from svertka.errors import DataError
from svertka.records import Unreadable


def picture_files(folder: Path) -> list[Path]:
    """All pictures below `folder` in natural order, by the same rules as training finds them.

    Raises:
        DataError: there is none, or the folder cannot be listed.
    """
    return files_and_left_out(folder)[0]


def files_and_left_out(folder: Path) -> tuple[list[Path], tuple[Unreadable, ...]]:
    """All pictures below `folder` in natural order, and what was passed over there, with the reasons.

    Raises:
        DataError: there is none, or the folder cannot be listed.
    """
    listing, left = Listing(list_folder(folder), FolderReader(str(folder.absolute())), str(folder)), Left()
    found = []
    for directory in listing.tree.directories:
        names, _ = pictures_of(listing, directory, left)
        found += [f"{directory}/{name}" if directory else name for name in names]
    skipped = tuple(one for one in listing.tree.skipped if one.files)
    if not found:
        why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise DataError(f"There are no pictures in {folder}{why}.")
    return [folder / path for path in sorted(found, key=natural)], skipped


def left_out_in_words(skipped: tuple[Unreadable, ...]) -> str:
    """A sentence on what was passed over; "" where nothing was."""
    if not skipped:
        return ""
    number = counted(sum(one.files for one in skipped), "other file was", "other files were")
    return f"{number} left aside, such as {skipped[0].path}: {skipped[0].reason}."

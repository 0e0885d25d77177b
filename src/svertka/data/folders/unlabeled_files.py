"""Pictures without labels: what `predict` finds in a folder."""

from __future__ import annotations

from pathlib import Path

from svertka.data.folders.file_names import has_picture_extension
from svertka.data.folders.folder_listing import list_folder
from svertka.data.path_array import natural
from svertka.errors import DataError


def picture_files(folder: Path) -> list[Path]:
    """All files below `folder` with the extension of a picture, in natural order; hidden ones are passed over.

    Raises:
        DataError: there is none, or the folder cannot be listed.
    """
    tree = list_folder(folder)
    paths = [f"{d}/{name}" if d else name for d, there in tree.directories.items() for name in there.names]
    found = sorted((p for p in paths if has_picture_extension(p)), key=natural)
    if not found:
        raise DataError(f"There are no pictures in {folder}.")
    return [folder / p for p in found]

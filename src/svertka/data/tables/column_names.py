"""What a column of a table may mean, and the names by which it is known."""

from __future__ import annotations

import re
from collections.abc import Sequence

# meaning -> names, the best first; blanks and hyphens count as underscores
ROLES: dict[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "picture", "img",
        "img_path", "image_file", "image_name", "images", "bytes", "image_bytes", "image_id", "img_id", "file_id", "id",
    ),
    "label": ("cls", "label", "class", "target", "class_name", "category", "labels", "txt"),
    "part": ("split", "part", "set", "subset", "partition", "usage"),
    "group": ("group", "group_id"),
}  # fmt: skip


def plain_name(name: str) -> str:
    """A name of a column as it is compared: in lower case, with underscores.

    >>> plain_name(" Image Path")
    'image_path'
    """
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def column_called(name: str, names: Sequence[str]) -> str | None:
    """The column that a person means: of that very name, else the only one whose name is as good; None if none is."""
    if name in names:
        return name
    alike = [one for one in names if plain_name(one) == plain_name(name)]
    return alike[0] if len(alike) == 1 else None

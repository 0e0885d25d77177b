"""What a folder or an archive holds, before anyone asks what it means: directories with files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from svertka.records import Unreadable

# Names that systems and programs leave behind; whatever begins with a dot is hidden as well.
SYSTEM = frozenset(
    ["__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "#recycle", "$recycle.bin",
     "system volume information", "lost+found", "icon\r", "__pycache__"]
)  # fmt: skip


def hidden(name: str) -> bool:
    """Whether a file or folder of that name belongs to a system or a program, not to the data.

    >>> hidden(".git"), hidden("Thumbs.db"), hidden("cat.jpg")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in SYSTEM


@dataclass(slots=True)
class Directory:
    """The files directly in one directory; row i of the reader's numbers belongs to name i."""

    names: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def ordered(self, dtype: np.dtype[Any]) -> tuple[list[str], np.ndarray]:
        """Names in order, and their rows as an array."""
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        rows = np.array(self.rows, dtype)
        return [self.names[i] for i in order], rows[order] if order else rows


@dataclass(slots=True)
class Tree:
    """Directories by path ("" is the top, "a/b" one below a), and what was left out with the reason."""

    directories: dict[str, Directory] = field(default_factory=dict)
    skipped: list[Unreadable] = field(default_factory=list)

    def add(self, folder: str, name: str, row: tuple[Any, ...]) -> None:
        """Put one file in."""
        directory = self.directories.get(folder)
        if directory is None:
            directory = self.directories[folder] = Directory()
        directory.names.append(name)
        directory.rows.append(row)

    def skip(self, path: str, reason: str) -> None:
        """Leave one file or folder out, and say why."""
        self.skipped.append(Unreadable(path, reason))

"""What a folder or an archive holds, before anyone asks what it means: directories with files."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from operator import le
from struct import Struct
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


class Directory:
    """The files directly in one directory: names in one block of bytes, and beside each a row of numbers.

    A million files are no million objects.
    """

    __slots__ = ("_names", "_pack", "_rows", "_size")

    def __init__(self, row: Struct) -> None:
        self._names, self._rows, self._pack, self._size = bytearray(), bytearray(), row.pack, row.size

    def add(self, name: str, row: tuple[int, ...]) -> None:
        """Put one file in."""
        self._names += name.encode("utf-8", "surrogateescape")
        self._names += b"\0"  # no name has one
        self._rows += self._pack(*row)

    def __len__(self) -> int:
        return len(self._rows) // self._size

    def clear(self) -> None:
        """Let go of all files."""
        self._names, self._rows = bytearray(), bytearray()

    @property
    def names(self) -> list[str]:
        """Of all files, as they were put in."""
        return self._names.decode("utf-8", "surrogateescape").split("\0")[:-1]

    def ordered(self, dtype: np.dtype[Any]) -> tuple[list[str], np.ndarray]:
        """Names in order, and their rows as an array."""
        names, rows = self.names, np.frombuffer(self._rows, dtype)
        if all(map(le, names, islice(names, 1, None))):
            return names, rows
        order = sorted(range(len(names)), key=names.__getitem__)
        return [names[i] for i in order], rows[order]


@dataclass(slots=True)
class Tree:
    """Directories by path ("" is the top, "a/b" one below a), and what was left out with the reason.

    row: how the numbers of one file are packed, as the dtype of the reader has them.
    """

    row: Struct
    directories: dict[str, Directory] = field(default_factory=dict)
    skipped: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # sentences on what was guessed

    def below(self, folder: str) -> Tree:
        """What lies below one folder, under the names that it has from there."""
        inner = {
            name.removeprefix(folder).lstrip("/"): one
            for name, one in self.directories.items()
            if name == folder or name.startswith(folder + "/")
        }
        skipped = [one for one in self.skipped if one.path.startswith(folder + "/")]
        return Tree(self.row, inner, skipped, self.notes)

    def add(self, folder: str, name: str, row: tuple[int, ...]) -> None:
        """Put one file in."""
        directory = self.directories.get(folder)
        if directory is None:
            directory = self.directories[folder] = Directory(self.row)
        directory.add(name, row)

    def skip(self, path: str, reason: str, files: int = 1) -> None:
        """Leave one file or folder out, and say why; `files` where it stands for more or less than one."""
        self.skipped.append(Unreadable(path, reason, files))

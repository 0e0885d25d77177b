"""The file that a row of a table means, where its path is not quite the one on this disk.

Tables come from other machines (C:\\pictures\\1.jpg), from other systems (.JPG for .jpg, names composed otherwise), or
hold only the id of a picture. What is below the folder of the table is listed once, when the first path leads nowhere.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from svertka.data.folders.file_names import class_name, has_picture_extension
from svertka.data.folders.folder_listing import list_folder
from svertka.data.path_array import counted
from svertka.data.sources.location import is_address
from svertka.errors import DataError

MISSING = "there is no such file"
_MOST = 1_000_000  # files that are listed to look for some; more take too long


class Found(NamedTuple):
    """A file below the folder: its path from there, bytes and time of change; or why there is none."""

    path: str
    row: tuple[int, int] = (0, 0)
    reason: str = ""


@dataclass
class FileFinder:
    """Finds files below a folder; `guessed` are the paths that stood otherwise in the table."""

    folder: str
    guessed: dict[str, str] = field(default_factory=dict)
    count: int = 0
    _by_name: dict[str, list[str]] | None = None

    def find(self, name: str) -> Found:
        """The file of one row."""
        there = self._look(name)
        if there is not None:
            return there
        if not name:
            return Found(name, reason="no path")
        if is_address(name) and not name.lower().startswith("file://"):
            return Found(name, reason="an address in a table is not fetched")
        if "\0" in name:
            return Found(name, reason=MISSING)
        return self._elsewhere(name)

    def notes(self, where: str) -> list[str]:
        """A sentence where paths were not on this disk as they stand in the table."""
        if not self.count:
            return []
        name, path = next(iter(self.guessed.items()))
        return [
            f"{counted(self.count, 'path')} of {where} {'is' if self.count == 1 else 'are'} on this disk under other "
            f"names, such as {name!r} as {path}."
        ]

    def _look(self, name: str) -> Found | None:
        try:
            facts = os.stat(os.path.join(self.folder, name))  # noqa: PTH116, PTH118  a million times
        except (OSError, ValueError):
            return None
        if stat.S_ISREG(facts.st_mode):
            return Found(name, (facts.st_size, facts.st_mtime_ns))
        return Found(name, reason="no path" if not name else "it is no file")

    def _elsewhere(self, name: str) -> Found:
        wanted = _pieces(name)
        files = self._files()
        best: list[str] = []
        for key in dict.fromkeys((wanted[-1], "\0" + wanted[-1], "\0" + _stem(wanted[-1]))) if wanted else ():
            best = _nearest(files.get(key, []), wanted)
            if best:
                break
        if len(best) > 1:
            best.sort()
            return Found(name, reason=f"several files are called so ({best[0]} and {best[1]})")
        found = self._look(best[0]) if best else None
        if found is None:
            return Found(name, reason=MISSING)
        self.count += 1
        if len(self.guessed) < 3:
            self.guessed[name] = found.path
        return found

    def _files(self) -> dict[str, list[str]]:
        """Paths by the last name in them, and behind a \\0 by that name without its extension."""
        if self._by_name is None:
            self._by_name = {}
            try:
                tree = list_folder(Path(self.folder))
            except (DataError, OSError):
                return self._by_name  # nothing to be found where nothing can be listed: each row is told as missing
            if sum(map(len, tree.directories.values())) > _MOST:
                return self._by_name
            for directory, there in tree.directories.items():
                for name in there.names:
                    path = f"{directory}/{name}" if directory else name
                    key = _key(name)
                    self._by_name.setdefault(key, []).append(path)
                    if has_picture_extension(name):
                        self._by_name.setdefault("\0" + _stem(key), []).append(path)
        return self._by_name


def _key(name: str) -> str:
    return class_name(name).casefold()


def _pieces(name: str) -> list[str]:
    """The names in a path of any system, as they are compared."""
    path = re.sub(r"^(?:file://)?/*(?:[A-Za-z]:)?", "", name.replace("\\", "/"), flags=re.IGNORECASE)
    return [_key(piece) for piece in path.split("/") if piece not in ("", ".", "..")]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] if has_picture_extension(name) else name


def _nearest(paths: list[str], wanted: list[str]) -> list[str]:
    """Those of some paths that share most names with the wanted one, from the end."""
    scores = [_shared([_key(piece) for piece in path.split("/")[:-1]], wanted[:-1]) for path in paths]
    return [path for path, score in zip(paths, scores, strict=True) if score == max(scores)]


def _shared(one: list[str], other: list[str]) -> int:
    """How many names two paths share from their ends."""
    number = 0
    for mine, yours in zip(reversed(one), reversed(other), strict=False):
        if mine != yours:
            break
        number += 1
    return number

"""List a folder: every ordinary file below it, links followed without running in circles, nothing opened."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from struct import Struct

from svertka.data.folders.file_tree import Tree, hidden
from svertka.errors import DataError

_DEPTH = 32  # directories below each other; more is a mistake

MARK = ".svertka"  # a file in a folder that svertka has made for pictures of its own, which are no data
_RUN = {"recipe.json", "log.jsonl"}  # what is in every run folder, and hardly anywhere else

_VISITS = 8  # ways on which links may lead to one folder; without a limit, links across make factorially many

Identity = tuple[int, int]  # device and number of a directory, whatever name it was reached by
Pending = tuple[str, tuple[Identity, ...]]  # a directory, and the identities of those on the way to it


def list_folder(root: Path) -> Tree:
    """All files below `root`; rows are (size, modified) of `FolderReader`.

    Raises:
        DataError: the folder itself cannot be listed.
    """
    tree = Tree(Struct("<qq"))
    facts = root.stat()
    pending: list[Pending] = [("", ((facts.st_dev, facts.st_ino),))]
    visits = Counter[Identity]()
    while pending:
        folder, above = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = list(entries)
            names = {entry.name for entry in found}
            if MARK in names or names >= _RUN:
                tree.skip(folder + "/" if folder else "./", "a folder that svertka has made, not data")
                continue
            below = [inner for entry in found if (inner := _take(tree, folder, entry, above, visits))]
        except OSError as why:
            if not folder:
                raise DataError(f"The folder {root} cannot be listed ({why.strerror}).") from why
            tree.skip(folder + "/", f"the folder cannot be listed ({why.strerror})")
            continue
        pending += sorted(below)
    return tree


def _take(
    tree: Tree, folder: str, entry: os.DirEntry[str], above: tuple[Identity, ...], visits: Counter[Identity]
) -> Pending | None:
    """Put one entry into the tree, or leave it out with a reason; a directory to be listed is given back."""
    path = f"{folder}/{entry.name}" if folder else entry.name
    if hidden(entry.name):
        is_folder = entry.is_dir(follow_symlinks=False)
        tree.skip(path + "/" * is_folder, f"hidden or system {'folder' if is_folder else 'file'}")
        return None
    try:
        facts = entry.stat()
    except OSError as why:
        broken = isinstance(why, FileNotFoundError) or "levels of symbolic links" in str(why)
        tree.skip(path, "a link that leads nowhere" if broken else f"it cannot be looked at ({why.strerror})")
        return None
    if stat.S_ISREG(facts.st_mode):
        tree.add(folder, entry.name, (facts.st_size, facts.st_mtime_ns))
        return None
    if not stat.S_ISDIR(facts.st_mode):
        tree.skip(path, "neither a file nor a folder")
        return None
    here = (facts.st_dev, facts.st_ino)
    if here in above:
        tree.skip(path + "/", "a link that leads back to a folder above it")
    elif len(above) >= _DEPTH:
        tree.skip(path + "/", f"more than {_DEPTH} folders deep")
    elif visits[here] >= _VISITS:
        tree.skip(path + "/", f"a link to a folder that has been listed {_VISITS} times")
    else:
        visits[here] += 1
        return path, (*above, here)
    return None

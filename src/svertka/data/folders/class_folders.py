"""A source of class folders: from a tree of files, of a folder or an archive, to columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from svertka.data.folders.file_names import class_name, class_pattern, extension, has_picture_extension
from svertka.data.folders.file_tree import Tree
from svertka.data.folders.folder_layout import Layout, Meaning, NoClassFolders, lay_out, parts_of
from svertka.data.folders.part_names import TRAIN, UNDECIDED, is_container, part_of
from svertka.data.path_array import Paths, counted, labeled, natural
from svertka.data.sources.readers import Reader
from svertka.data.sources.source import Source, name_of
from svertka.errors import DataError, ReadError, UsageError
from svertka.kinds.image.formats import RAW, RAW_EXTENSIONS, other_kind, picture_format

_PACKED = (".tar", ".zip", ".tgz", ".gz", ".parquet")
_TOLD = 20  # files of a folder that are named one by one when they are left out; more are only counted
_TRIED = 50  # files of one unknown extension that are opened before all of it is taken for no pictures
_LOOKED_AT = 5  # files of one unknown extension of a folder that are opened to see whether it holds pictures
_TEXTS = ("it is a text", "it is an XML document", "it is a web page", "it is empty", "it is a PDF document")
_UNMATCHED = "the pattern of the class does not match its path"


@dataclass(frozen=True)
class Listing:
    """What lies in one place, and how people call it.

    Attributes:
        tree: the files; emptied as they are sorted.
        reader: of their bytes.
        where: the place in the words of messages.
        stamp: what tells the place from others whose files look the same.
    """

    tree: Tree
    reader: Reader
    where: str
    stamp: str = ""


Divide = Callable[[str, list[str]], list[tuple[Meaning, list[int] | slice]]]  # directory, names -> who belongs where


def arranged(listing: Listing, *, pattern: str | None = None, label: str | None = None) -> Source:
    """Sort the files of a tree into classes and parts.

    Args:
        listing: the files.
        pattern: of the class in a path, by its first bracket; folders are the classes if not given.
        label: the class of all files, which must lie in one folder.

    Raises:
        NoClassFolders: all pictures lie in one folder.
        DataError: there is no picture, or no class.
        UsageError: the pattern is none, or matches nothing.
    """
    tree, left = listing.tree, Left()
    samples = {directory: _sample_count(listing, directory) for directory in tree.directories}
    if pattern is not None:
        layout, divide = Layout(dict.fromkeys(samples, Meaning())), _by_pattern(pattern, tree)
    else:
        layout = _one_class(samples, label, listing.where) if label else _layout(samples, listing)
        divide = _by_folder(layout.meanings)
    meanings = layout.meanings
    order = sorted(meanings, key=lambda d: (meanings[d].part, natural(meanings[d].label), natural(d)))
    kept: list[tuple[Meaning, int]] = []
    rows = np.empty(sum(map(len, tree.directories.values())), listing.reader.row)

    def pictures() -> Iterator[str]:
        """The paths in order; their rows are put into place, and the tree is taken apart as its files leave it."""
        taken = 0
        for directory in order:
            names, own = pictures_of(listing, directory, left)
            prefix = directory + "/" if directory else ""
            for meaning, which in divide(directory, names) if names else ():
                chosen = names[which] if isinstance(which, slice) else [names[i] for i in which]
                if meaning.reason:
                    _leave_out(tree, directory, chosen, meaning.reason)
                    continue
                kept.append((meaning, len(chosen)))
                rows[taken : taken + len(chosen)] = own[which]
                taken += len(chosen)
                yield from (prefix + name for name in chosen)
            del own
            tree.directories[directory].clear()

    paths = Paths.of(pictures())
    notes = [*layout.notes, *_name_empty(tree, samples, layout.above, left)]
    if not kept:
        raise _nothing(listing, samples, left.kinds, pattern)
    return _source(listing, paths, rows[: len(paths)], kept, (*tree.notes, *notes))


def _source(
    listing: Listing, paths: Paths, rows: np.ndarray, kept: list[tuple[Meaning, int]], notes: tuple[str, ...]
) -> Source:
    """The source of files in order, of which as many as `kept` says have one meaning after the other."""
    names = list(dict.fromkeys(meant.label for meant, _ in kept))
    classes, label_of = labeled(names, np.arange(len(names)))
    index = dict(zip(names, label_of.tolist(), strict=True))
    lengths = [n for _, n in kept]
    return Source(
        name=name_of(listing.where),
        kind=listing.reader.kind,
        where=listing.where,
        classes=classes,
        paths=paths,
        labels=np.repeat(np.array([index[meant.label] for meant, _ in kept], np.int32), lengths),
        parts=np.repeat(np.array([meant.part for meant, _ in kept], np.uint8), lengths),
        sizes=rows["size"],
        skipped=tuple(listing.tree.skipped),
        reader=listing.reader,
        rows=rows,
        stamp=listing.stamp,
        notes=notes,
    )


# -- who belongs where
# ----------------------------------------------------------------------------------------------


def _sample_count(listing: Listing, directory: str) -> int:
    """About how many pictures lie directly in a directory; exactly 0 only where a look inside finds none."""
    names = listing.tree.directories[directory].names
    number = sum(map(has_picture_extension, names))
    if number:
        return number
    names, rows = listing.tree.directories[directory].ordered(listing.reader.row)
    looked = Counter[str]()
    for name, row in zip(names, rows, strict=True):
        kind = extension(name)
        if looked[kind] < _LOOKED_AT:
            looked[kind] += 1
            if not _no_picture(listing.reader, f"{directory}/{name}" if directory else name, row):
                return len(names)
    return 0


def _layout(samples: dict[str, int], listing: Listing) -> Layout:
    """Folders as classes. Raises NoClassFolders: no folder is one; with the pattern that would work on names."""
    try:
        layout = lay_out(samples, listing.where)
        if not any(samples.values()) or any(meaning.label for meaning in layout.meanings.values()):
            return layout
        directory = next(directory for directory, number in samples.items() if number)
        first = min(listing.tree.directories[directory].names, key=natural)
        raise NoClassFolders(
            f"There are no pictures in class folders in {listing.where}, for example "
            f"{directory + '/' if directory else ''}{first}: it lies beside the class folders and so has no class."
        )
    except NoClassFolders as why:
        raise NoClassFolders(f"{why}{_by_name_instead(listing, samples)}") from None


def _by_name_instead(listing: Listing, samples: dict[str, int]) -> str:
    """A sentence on the pattern that would find classes in the names of files; "" where none would."""
    directories = [d for d in samples if any(part_of(name) == TRAIN for name in parts_of(d))] or list(samples)
    names = [name for d in directories for name in listing.tree.directories[d].names if has_picture_extension(name)]
    return pattern_hint(listing.where, names)


def pattern_hint(where: str, paths: list[str]) -> str:
    """A sentence on the pattern that would find classes in the names of files; "" where none would."""
    found = class_pattern(paths)
    if found is None:
        return ""
    pattern, classes = found
    shown = ", ".join(classes[:3]) + (f" and {len(classes) - 3} more" if len(classes) > 3 else "")
    mark = "," if "#" in where else "#"
    return f" The names of the files hold {shown}: '{where}{mark}class={pattern}' makes classes of them."


def _one_class(samples: dict[str, int], label: str, where: str) -> Layout:
    """All pictures as one class, where they lie in one folder."""
    holding = [directory for directory, number in samples.items() if number]
    if len(holding) > 1:
        raise DataError(
            f"{where} holds folders of pictures ({holding[0]!r}, {holding[1]!r}) where other places hold pictures of "
            "one class each: name the folder above them, or places of one form."
        )
    return Layout(dict.fromkeys(samples, Meaning(class_name(label))))


def _by_folder(meanings: dict[str, Meaning]) -> Divide:
    return lambda directory, _: [(meanings[directory], slice(None))]


def _by_pattern(pattern: str, tree: Tree) -> Divide:
    """Classes by the path of each file, and parts by the folders that are called so.

    Raises:
        UsageError: it is no pattern.
    """
    try:
        search = re.compile(pattern)
    except re.error as why:
        raise UsageError(f"class={pattern} is no pattern: {why}.") from None
    part_by = {d: next((p for name in parts_of(d) if (p := part_of(name))), UNDECIDED) for d in tree.directories}
    first = search.groups > 0
    if TRAIN not in part_by.values() or _names_parts(search, tree):
        part_by = dict.fromkeys(part_by, UNDECIDED)

    def divide(directory: str, names: list[str]) -> list[tuple[Meaning, list[int] | slice]]:
        found: dict[str, list[int]] = {}
        prefix = directory + "/" if directory else ""
        for i, name in enumerate(names):
            match = search.search(prefix + name)
            found.setdefault(class_name((match[first] or "").strip()) if match else "", []).append(i)
        part = part_by[directory]
        return [
            (Meaning(label, part) if label else Meaning(reason=_UNMATCHED), found[label])
            for label in sorted(found, key=natural)
        ]

    return divide


def _names_parts(search: re.Pattern[str], tree: Tree) -> bool:
    """Whether the pattern takes the very folders for classes that are called like parts."""
    first = search.groups > 0
    samples = (f"{d}/{one.names[0]}" for d, one in tree.directories.items() if len(one) and d)
    found = [match[first] or "" for path in samples if (match := search.search(path))]
    return any(part_of(label) == TRAIN for label in found)


# -- which files are pictures
# ---------------------------------------------------------------------------------------


class Left:
    """What was no picture: how many files of an extension, and of those in each directory what is no mere text."""

    def __init__(self) -> None:
        self.kinds, self._per_folder = Counter[str](), dict[str, Counter[str]]()
        self._texts = set[str]()

    def count(self, directory: str, name: str, reason: str) -> None:
        """Add one file of a directory, and why it is no picture."""
        kind = "." + extension(name) if extension(name) else "without extension"
        self.kinds[kind] += 1
        if reason.endswith(_TEXTS):
            self._texts.add(kind)
        self._per_folder.setdefault(directory, Counter())[kind] += 1

    def vanished(self, folder: str) -> Counter[str]:
        """The files of a folder and below it that are no texts, by extension."""
        within = (c for d, c in self._per_folder.items() if d == folder or d.startswith(folder + "/"))
        whole = sum(within, Counter[str]())
        return Counter({kind: n for kind, n in whole.items() if kind not in self._texts})


def pictures_of(listing: Listing, directory: str, kept_out: Left) -> tuple[list[str], np.ndarray]:
    """The pictures of one directory in order, with their rows; the rest is left out with a reason."""
    tree, reader = listing.tree, listing.reader
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
                kept_out.count(directory, name, reason)
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
    if extension(path.rpartition("/")[2]) in RAW_EXTENSIONS:  # their first bytes are those of a TIFF
        return f"no picture: {RAW}"
    if picture_format(head):
        return ""
    return f"no picture: {other_kind(head)}"


def _leave_out(tree: Tree, directory: str, names: list[str], reason: str) -> None:
    """List files as left out: each by name, or where they are many only their number."""
    prefix = directory + "/" if directory else ""
    if len(names) > _TOLD:
        tree.skip(prefix or "./", f"{counted(len(names), 'file')}: {reason}", len(names))
        return
    for name in names:
        tree.skip(prefix + name, reason)


def _name_empty(tree: Tree, samples: dict[str, int], above: set[tuple[str, ...]], left: Left) -> list[str]:
    """Folders beside those of classes in which nothing is a picture make no class: each is listed once.

    Gives a warning for each that was meant for a class: it holds what is neither a picture that is read nor a text.
    """
    holding = {parts_of(d)[:depth] for d, n in samples.items() if n for depth in range(len(parts_of(d)) + 1)}
    whole = {parts[:depth] for d in samples for parts in [parts_of(d)] for depth in range(1, len(parts) + 1)}
    empty = {parts for parts in whole - holding if parts[:-1] in above}
    notes = []
    for parts in sorted(empty):
        tree.skip("/".join(parts) + "/", "a folder without pictures makes no class", 0)
        lost = left.vanished("/".join(parts))
        if lost and not is_container(parts[-1]):
            shown = " and ".join(f"{n:,} {kind}" for kind, n in lost.most_common(2))
            notes.append(
                f"The class {class_name(parts[-1])!r} is lost: none of the files in {'/'.join(parts)}/ is a picture "
                f"that is read ({shown}); save them as JPEG or PNG."
            )
    return notes


def _nothing(
    listing: Listing, samples: dict[str, int], kinds: Counter[str], pattern: str | None
) -> DataError | UsageError:
    """Why a place gives no picture at all."""
    where, tree = listing.where, listing.tree
    if pattern is not None and any(samples.values()):
        example = next((f", such as {one.path}" for one in tree.skipped if one.reason.endswith(_UNMATCHED)), "")
        return UsageError(f"{where}: the pattern {pattern!r} of the class matches none of the paths{example}.")
    if kinds:
        found = " and ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(3))
        packed = next((kind for kind, _ in kinds.most_common() if kind in _PACKED), None)
        hint = f" What is packed is read when it is named, as {where}/*{packed}." if packed else ""
        if packed and listing.reader.kind != "folder":
            hint = f" Unpack {where}: what is packed within it is read when it is named."
        return DataError(f"There are no pictures in {where}, only other files ({found}).{hint}")
    if tree.skipped:
        example = next((f", for example {u.path}: {u.reason}" for u in tree.skipped), "")
        return DataError(f"There are no pictures in class folders in {where}{example}.")
    return DataError(f"{where} is empty; it should hold one folder of pictures for each class.")

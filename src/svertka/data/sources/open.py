"""`open_source`: which kind of place it is, and who lists it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from svertka.data.folders.archive_listing import list_tar, list_zip
from svertka.data.folders.class_folders import Listing, arranged, pattern_hint
from svertka.data.folders.decompress import compression, unpacked_tar
from svertka.data.folders.file_names import class_name, in_words
from svertka.data.folders.folder_layout import NoClassFolders, twins
from svertka.data.folders.folder_listing import list_folder
from svertka.data.folders.part_names import PART_NAMES, TEST, TRAIN, VALIDATION, part_within
from svertka.data.path_array import counted, natural
from svertka.data.sources.digits import digits
from svertka.data.sources.groups import groups_by_pattern
from svertka.data.sources.location import TABLES, Place, missing, places_in_words, places_of, there_is
from svertka.data.sources.readers import FolderReader, TarReader, ZipReader, as_listed
from svertka.data.sources.row_places import rows_of_folder, rows_of_zip, rows_within_zip
from svertka.data.sources.source import Source, name_of
from svertka.data.tables.row_kind import row_kind
from svertka.data.tables.rows import open_rows
from svertka.data.tables.webdataset import is_shard, shard_source
from svertka.errors import DataError, UsageError
from svertka.kinds.image.formats import other_kind, picture_format

_TABLES_TRIED = 20  # tables of a folder that are opened to see whether they say the classes


def open_source(
    where: str | Path | Sequence[str | Path], least_classes: int = 2, *, group_by: str | None = None
) -> Source:
    """List the pictures of one place, or of several as one.

    Args:
        where: a folder, an archive (.zip, .tar, .tar.gz, ...), a table (.csv, .tsv, .parquet), shards, an address of
        one of these, a pattern (`shard-{000..009}.tar`), a list of places (.txt), the built-in "digits" (a folder that
        is called so is "./digits"); or several of them.
        least_classes: fewer classes than this are an error.
        group_by: a column of the tables, or a pattern on the path; files with the same value belong together.

    Raises:
        DataError: there is no such place, nothing usable in it, or its labels contradict each other.
        RecipeError: the pattern is none, or matches nothing.
    """
    given = [str(where)] if isinstance(where, (str, Path)) else [str(one) for one in where]
    try:
        return _open_given(given, least_classes, group_by)
    except DataError as why:
        hint = _folder_above(given) or _tables_within(given, group_by)
        if not hint:
            raise
        raise DataError(f"{why} {hint}") from why


def _open_given(given: list[str], least_classes: int, group_by: str | None) -> Source:
    """The source of all that was named."""
    places = places_of(given)
    copies, notes = _copies([place.where for place in places if place.remote])
    sources = _open_all(places, group_by, copies)
    source = sources[0]
    if len(sources) > 1:
        from svertka.data.sources.concat import joined

        source = joined(sources, places_in_words(given))
    notes += tuple(_check_classes(source, least_classes))
    if group_by is not None and (source.groups is None or source.groups.by != group_by):
        source = replace(source, groups=groups_by_pattern(source.paths, group_by))
    again = () if given == [source.where] else tuple(given)
    return replace(source, notes=(*source.notes, *notes, *twins(source.classes)), places=again)


def reopen_source(told: Mapping[str, Any], least_classes: int = 2, *, group_by: str | None = None) -> Source:
    """Open again what a run learned from, as `Source.to_dict` describes it; other arguments as for `open_source`.

    Raises:
        KeyError: it is no such description.
        DataError: as `open_source`.
    """
    return open_source(told.get("places") or told["where"], least_classes, group_by=group_by)


def _copies(addresses: list[str]) -> tuple[Mapping[str, Path], tuple[str, ...]]:
    if not addresses:
        return {}, ()
    from svertka.cache.remote import local_copies

    return local_copies(addresses)


def _open_all(places: Sequence[Place], group_by: str | None, copies: Mapping[str, Path]) -> list[Source]:
    """List all places; where each holds pictures and no class folders, each is a class of its own name."""
    try:
        return [_open(place, group_by, copies) for place in places]
    except NoClassFolders:
        names = [class_name(name_of(place.where)) for place in places]
        if len(set(names)) < 2 or TRAIN in map(part_within, names) or any("class" in dict(p.columns) for p in places):
            raise
        return [_open(place, group_by, copies, name) for place, name in zip(places, names, strict=True)]


def _folder_above(given: Sequence[str]) -> str:
    """Where all that is in a folder was named (flowers/*): the word that the folder is enough."""
    above = {str(Path(where).parent) for where in given}
    if len(given) < 2 or len(above) != 1 or sum(there_is(where) and Path(where).is_dir() for where in given) < 2:
        return ""
    return f"To learn from the folders of {above.pop()} name it alone."


def _tables_within(given: Sequence[str], group_by: str | None) -> str:
    """Where a folder holds tables that say the classes of its pictures: that they are to be named; tried before."""
    if len(given) != 1 or not (there_is(given[0]) and Path(given[0]).is_dir()):
        return ""
    folder = Path(given[0])
    tables = [one for pattern in ("*", "*/*") for one in sorted(folder.glob(pattern)) if one.suffix.lower() in TABLES]
    same: dict[tuple[int, str], list[str]] = {}
    for table in tables[:_TABLES_TRIED]:
        same.setdefault((len(table.parts), table.name), []).append(str(table))
    for names in sorted(same.values(), key=len, reverse=True):
        try:
            source = _open_given(names, 2, group_by)
        except (DataError, UsageError):
            continue  # no table of pictures: there is nothing to say of it
        classes = counted(len(source.classes), "class", "classes")
        return f"{' '.join(names)} {'says' if len(names) == 1 else 'say'} the {classes} of pictures: name that instead."
    return ""


def _open(place: Place, group_by: str | None, copies: Mapping[str, Path], label: str | None = None) -> Source:
    """List one place of any kind; `copies` of what lies elsewhere; `label` of all its pictures, where it is a class."""
    if place.where == "digits":
        return digits()
    if place.remote:
        return _open_file(copies[place.where], place, group_by, label)
    path = Path(place.where)
    if not there_is(place.where):
        inner = rows_within_zip(place.where)
        if inner is None:
            raise missing(place.where)
        return inner
    if path.is_dir():
        absolute, tree = str(path.absolute()), list_folder(path)
        if (rows := rows_of_folder(tree, path, place)) is not None:
            return rows
        return _arranged(Listing(tree, FolderReader(absolute), place.where, absolute), place, label)
    if path.is_file():
        return _open_file(path, place, group_by, label)
    raise missing(place.where)


def _arranged(listing: Listing, place: Place, label: str | None) -> Source:
    """The source of a folder or an archive, or of one folder in it."""
    columns = dict(place.columns)
    if unknown := columns.keys() - {"root", "class", "encoding"}:
        raise UsageError(
            f"{place}: {unknown.pop()!r} speaks of a column of a table, which {place.where} is not; root=FOLDER and "
            "class=PATTERN may stand here."
        )
    root = columns.get("root", "").strip("/")
    if root and (listing.reader.kind == "folder"):
        raise UsageError(f"{place}: name the folder itself, {Path(place.where, root)}.")
    if root:
        listing = replace(listing, tree=listing.tree.below(root))
        if not listing.tree.directories:
            raise DataError(f"{place}: there is no folder {root!r} in {place.where}.")
    return replace(arranged(listing, pattern=columns.get("class"), label=label), where=str(place))


def _open_file(path: Path, place: Place, group_by: str | None, label: str | None) -> Source:
    """List an archive or a table; `path` is where it lies, `place` how people call it."""
    head = _head(path)
    ending = Path(place.where).suffix.lower()
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or ending == ".zip":
        # the rows of a zip carry checksums: the same archive in another place is the same source
        if (rows := rows_of_zip(path, place)) is not None:
            return rows
        zipped = ZipReader(as_listed(path))
        return _arranged(
            Listing(list_zip(path, place.where, dict(place.columns).get("encoding", "")), zipped, place.where),
            place,
            label,
        )
    packed = compression(head)
    if packed or head[257:262] == b"ustar" or ending == ".tar":
        facts = path.stat()
        stamp = f"{path.absolute()}\0{facts.st_size}\0{facts.st_mtime_ns}"
        plain = unpacked_tar(path, packed) if packed else path
        reader = TarReader(as_listed(plain))
        tree = list_tar(plain)
        if is_shard(tree):
            return shard_source(tree, reader, place, stamp, group_by)
        return _arranged(Listing(tree, reader, place.where, stamp), place, label)
    if head[:4] == b"PAR1" or ending == ".parquet":
        from svertka.data.tables.parquet import open_parquet

        return open_parquet(path, place, group_by)
    if not place.columns and row_kind(path) is not None:
        return open_rows([path], place)
    if ending in TABLES:
        from svertka.data.tables.table import open_table

        return open_table(path, place, group_by)
    form = picture_format(head)
    found = f"it is a single picture ({form})" if form else other_kind(head[:160])
    raise DataError(
        f"{place.where} is neither a folder nor an archive (.zip, .tar, .tar.gz) nor a table (.csv, .tsv, .parquet): "
        f"{found}."
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as why:
        raise DataError(f"{path} cannot be opened ({why.strerror}).") from why


def _check_classes(source: Source, least: int) -> list[str]:
    """Refuse too few classes, and classes that could not be learned; a sentence where a part lacks some."""
    by_part = {
        part: {source.classes[label] for label in set(source.labels[source.parts == part].tolist())}
        for part in (TRAIN, VALIDATION, TEST)
    }
    if by_part[TRAIN]:
        for part in (VALIDATION, TEST):
            _same_classes(by_part[TRAIN], by_part[part], PART_NAMES[part], source.where)
    if len(source.classes) < least:
        (only,) = source.classes
        how = "each by its own name" if source.kind in ("table", "shards", "rows") else "each in a folder of its own"
        hint = pattern_hint(source.where, list(source.paths[:1000]))
        raise DataError(
            f"{source.where} holds one class only ({only!r}); a classifier needs at least two, {how}.{hint}"
        )
    return [
        f"The {PART_NAMES[part]} part holds no picture of {in_words(sorted(lost, key=natural))}: how well that is "
        "recognized it cannot tell."
        for part in (VALIDATION, TEST)
        if by_part[TRAIN] and by_part[part] and (lost := by_part[TRAIN] - by_part[part])
    ]


def _same_classes(train: set[str], other: set[str], part: str, where: str) -> None:
    for name in sorted(other - train, key=natural):
        near = difflib.get_close_matches(name.lower(), [t.lower() for t in train], n=1, cutoff=0.8)
        hint = "".join(f" (it has {t!r})" for t in sorted(train) if near and t.lower() == near[0])
        raise DataError(
            f"{where}: the {part} part has the class {name!r}, which the train part lacks{hint}; "
            "a network cannot name what it has not learned."
        )

"""From what a person names to single places: brace patterns, wildcards, lists in a text file; and columns after a #.

flowers   data/shard-{000000..000009}.tar   data/*.zip   places.txt   s3://bucket/birds.csv#label=species
"""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from svertka.data.path_array import counted
from svertka.data.tables.column_names import ROLES
from svertka.data.tables.row_kind import row_kind
from svertka.data.tables.separators import is_text_table
from svertka.errors import DataError, UsageError

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt")
BUILT_IN = ("digits",)
_WITH_COLUMNS = (*TABLES, ".tar")  # what may carry columns after a #
_SPOKEN_OF = (*ROLES, "root", "class", "encoding")  # what may stand after a #
_MARK = re.compile(rf"#(?=(?:{'|'.join(_SPOKEN_OF)})=)")
_MOST = 100_000  # places; more is a mistake in a pattern
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class Place:
    """One place: where it is, and what stands after its #: role -> column, folder, pattern or encoding."""

    where: str
    columns: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """As a person names it."""
        return self.where + "#" * bool(self.columns) + ",".join(f"{role}={name}" for role, name in self.columns)

    def naming(self, role: str, name: str) -> Place:
        """The same place with one role named, or named otherwise."""
        return Place(self.where, (*(pair for pair in self.columns if pair[0] != role), (role, name)))

    @property
    def remote(self) -> bool:
        """Whether it is an address, as s3://bucket/a.tar."""
        return is_address(self.where)


def is_address(where: str) -> bool:
    """Whether this names something that is not on this machine's disks.

    >>> is_address("s3://bucket/a.tar"), is_address("data/a.tar")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", where) is not None


def places_of(where: str | Path | Sequence[str | Path]) -> list[Place]:
    """The single places that are meant, in order.

    Raises:
        DataError: a list or pattern that names nothing, or one place twice.
        UsageError: columns that are not written as role=name.
    """
    named = [where] if isinstance(where, (str, Path)) else list(where)
    if not named:
        raise UsageError("There is no place to read pictures from: name a folder, an archive or a table.")
    found = [place for one in named for place in _expanded(str(one))]
    _refuse_repeats(found)
    return found


def _refuse_repeats(places: Sequence[Place]) -> None:
    """Raise DataError for a place that is named twice, however it is written, or lies within another."""
    seen = dict[tuple[str, tuple[tuple[str, str], ...]], Place]()
    folders = dict[str, Place]()
    for place in places:
        local = not (place.remote or place.where in BUILT_IN)
        real = os.path.realpath(place.where) if local else place.where
        if other := seen.get((real, place.columns)):
            same = f"{place} is named twice" if str(other) == str(place) else f"{place} and {other} are one place"
            raise DataError(f"{same}; its pictures would stand in the data twice.")
        seen[real, place.columns] = place
        if local and os.path.isdir(real):  # noqa: PTH112
            folders[real] = place
    for real, place in folders.items():
        above = next((folders[str(p)] for p in Path(real).parents if str(p) in folders), None)
        if above is not None:
            raise DataError(
                f"{place} lies within {above}, which is named too; its pictures would stand in the data twice."
            )


def _expanded(text: str, base: str = "") -> Iterator[Place]:
    """The places that one word means; relative ones start at `base`."""
    where, columns = _columns(text)
    if base and not is_address(where) and where not in BUILT_IN:
        where = str(Path(base, where))
    if where in BUILT_IN or (not is_address(where) and there_is(where)):
        if where.lower().endswith(".txt") and not columns and not _holds_samples(Path(where)):
            yield from _listed(where)
        else:
            yield Place(where, columns)
        return
    for one in braces(where):
        if "*" not in one:
            yield Place(one, columns)
            continue
        matches = _matches(one)
        if not matches:
            raise DataError(f"There is nothing that {one} matches.")
        yield from (Place(match, columns) for match in matches)


def _holds_samples(path: Path) -> bool:
    """Whether a text file holds samples, or names them with their classes, and no places, one a line."""
    return path.is_file() and (is_text_table(path) or row_kind(path) is not None)


def _listed(where: str) -> Iterator[Place]:
    """The places that the lines of a text file name; relative ones start at its folder."""
    try:
        lines = Path(where).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"The list {where} cannot be read ({why}).") from why
    named = [line.strip() for line in lines if line.strip() and not line.startswith("# ")]
    if not named:
        raise DataError(f"The list {where} names no place; it holds one folder, archive or table a line.")
    for name in named:
        if name.lower().endswith(".txt"):
            raise DataError(f"The list {where} names another list, {name}; one folder, archive or table a line works.")
        for place in _expanded(name, str(Path(where).parent)):
            if not (place.remote or place.where in BUILT_IN or there_is(place.where)):
                raise DataError(f"The list {where} names {name}, but there is no {place.where}.")
            yield place


def braces(text: str) -> list[str]:
    """All words that a pattern with braces means, as in a shell.

    >>> braces("shard-{08..10}.tar"), braces("{a,b}/x")
    (['shard-08.tar', 'shard-09.tar', 'shard-10.tar'], ['a/x', 'b/x'])

    Raises:
        DataError: they are more than anyone means.
    """
    found, done = [text], False
    while not done:
        done, several = True, list[str]()
        for word in found:
            match = next((m for m in _BRACES.finditer(word) if _choices(m[1])), None)
            if match is None:
                several.append(word)
                continue
            done = False
            several += [word[: match.start()] + choice + word[match.end() :] for choice in _choices(match[1])]
            if len(several) > _MOST:
                raise DataError(f"{text} means more than {_MOST:,} places.")
        found = several
    return found


def _choices(inside: str) -> Iterable[str]:
    match = _RANGE.fullmatch(inside)
    if match is None:
        return inside.split(",") if "," in inside else ()
    first, last = int(match[1]), int(match[2])
    if abs(last - first) >= _MOST:
        raise DataError(f"{{{inside}}} means more than {_MOST:,} places.")
    width = max(map(len, match.groups())) if match[1].startswith("0") or match[2].startswith("0") else 0
    step = 1 if last >= first else -1
    return [f"{number:0{width}}" for number in range(first, last + step, step)]


def _matches(pattern: str) -> list[str]:
    if is_address(pattern):
        from svertka.cache.remote import matching

        return matching(pattern)
    return sorted(glob.glob(pattern))  # noqa: PTH207  patterns may begin at the root


def _columns(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What stands before the #, and the pairs after it; the pattern of a class may hold anything, and stands last."""
    if "#" not in text or there_is(text):
        return text, ()
    mark = _MARK.search(text)
    where, rest = (text[: mark.start()], text[mark.end() :]) if mark else (text.rpartition("#")[::2])
    if not mark and not where.lower().endswith(_WITH_COLUMNS):
        return text, ()
    pairs: dict[str, str] = {}
    while rest:
        pair, _, rest = (rest, "", "") if rest.startswith("class=") else rest.partition(",")
        role, equals, name = pair.partition("=")
        if not equals or role not in _SPOKEN_OF:
            raise UsageError(
                f"{text}: {pair!r} names no column; after the # stands role=column, as in {where}#label=species, with "
                f"the roles {', '.join(_SPOKEN_OF)}."
            )
        if role in pairs:
            raise UsageError(f"{text}: {role}= stands there twice; name it once.")
        pairs[role] = name
    return where, tuple(pairs.items())


def there_is(where: str) -> bool:
    """Whether there is a file or folder of that name that may be looked at; a name that no file can have is none."""
    return os.path.exists(where)  # noqa: PTH110  that of pathlib raises what it meets


def missing(where: str) -> DataError:
    """The sentence for a place that is not there, or may not be looked at; with what is near."""
    path = Path(where)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass
    except OSError as why:  # a folder on the way that is closed to this user, a name too long
        return DataError(f"{path} cannot be looked at ({why.strerror}).")
    try:
        there = [entry.name for entry in path.absolute().parent.iterdir()]
    except OSError:
        return DataError(f"There is no folder or archive {path} (nor the folder {path.parent}).")
    near = difflib.get_close_matches(path.name, there, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(str(path.with_name(n)) for n in near)}?" if near else ""
    return DataError(f"There is no folder or archive {path}.{hint}")


def places_in_words(places: Sequence[str]) -> str:
    """Several places as a person would say them.

    >>> places_in_words(["a", "b"]), places_in_words(["a", "b", "c", "d"])
    ('a and b', 'a and 3 more places')
    """
    if len(places) <= 2:
        return " and ".join(places)
    return f"{places[0]} and {counted(len(places) - 1, 'more place')}"

"""Several places as one source: folders, archives and tables one after the other, their classes joined by name."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from svertka.data.folders.part_names import PART_NAMES, TRAIN, UNDECIDED, part_of, part_within
from svertka.data.path_array import Paths, labeled
from svertka.data.sources.groups import joined_groups
from svertka.data.sources.location import places_in_words
from svertka.data.sources.readers import Reader, open_reader
from svertka.data.sources.source import Source, name_of
from svertka.errors import DataError
from svertka.kinds import kind
from svertka.records import Unreadable

_OPEN = 32  # archives that are held open at once


class SeveralReader:
    """Files of several places: each row says which one, and holds the row of that one's own reader."""

    kind = "several"

    def __init__(self, where: str) -> None:
        """`where` is JSON: the width of a row, and for each place (kind, where, letters that precede its paths)."""
        self.where = where
        width, self._places = json.loads(where)
        self.row = np.dtype([("place", "<i4"), ("row", f"V{width}")])
        self._readers: OrderedDict[int, Reader] = OrderedDict()

    def fetch(self, path: str, row: np.void) -> bytes:
        """All bytes of one file."""
        reader, own, inner = self._of(path, row)
        return reader.fetch(own, inner)

    def head(self, path: str, row: np.void) -> bytes:
        """The first bytes of one file."""
        reader, own, inner = self._of(path, row)
        return reader.head(own, inner)

    def _of(self, path: str, row: np.void) -> tuple[Reader, str, np.void]:
        """Whose file it is, and what that reader calls it."""
        number = int(row["place"])
        kind, where, prefix = self._places[number]
        reader = self._readers.pop(number, None) or open_reader(kind, where)
        self._readers[number] = reader
        if len(self._readers) > _OPEN:
            self._readers.popitem(last=False)
        return reader, path[prefix:], np.frombuffer(row["row"].tobytes(), reader.row, count=1)[0]


def joined(sources: Sequence[Source], where: str) -> Source:
    """One source of several; where their names say so (train-0001.tar, val-0001.tar), they are its parts."""
    shown = [name + "/" for name in _apart([source.where for source in sources])]
    codes, names = list[np.ndarray](), dict[str, int]()
    for source in sources:
        place = np.array([names.setdefault(name, len(names)) for name in source.classes], np.int32)
        codes.append(place[source.labels])
    classes, labels = labeled(list(names), np.concatenate(codes))
    reader, rows = _rows(sources, shown)
    parts, told = _parts(sources)
    left = ((name, one) for name, source in zip(shown, sources, strict=True) for one in source.skipped)
    return Source(
        name=_common_name([name_of(source.where) for source in sources]),
        kind=reader.kind,
        where=where,
        classes=classes,
        paths=Paths.joined([_prefixed(source.paths, name) for source, name in zip(sources, shown, strict=True)]),
        labels=labels,
        parts=np.concatenate(parts),
        sizes=np.concatenate([source.sizes for source in sources]),
        reader=reader,
        rows=rows,
        skipped=tuple(Unreadable(name + one.path, one.reason, one.files) for name, one in left),
        stamp=" ".join(source.identity().hex() for source in sources),
        notes=(*told, *dict.fromkeys(note for source in sources for note in source.notes)),
        groups=joined_groups([(source.groups, len(source)) for source in sources]),
        sample=_one_kind(sources),
    )


def _one_kind(sources: Sequence[Source]) -> str:
    kinds = {source.sample: source.where for source in sources}
    if len(kinds) > 1:
        told = " and ".join(f"{kind(name).several} in {where}" for name, where in kinds.items())
        raise DataError(f"One network learns from one kind of sample, and there are {told}: name places of one kind.")
    return next(iter(kinds))


def parts_of_places(places: Sequence[str]) -> list[int]:
    """The part that each place speaks of where it differs from the others; none unless one is for training.

    >>> parts_of_places(["d/training.zip", "d/testing.zip"]), parts_of_places(["train/cats.tar", "train/dogs.tar"])
    ([1, 3], [0, 0])
    """
    parts = [
        part_within(name_of(end)) or next((p for word in reversed(end.split("/")[:-1]) if (p := part_of(word))), 0)
        for end in _apart([place.partition("#")[0] for place in places])
    ]
    return parts if TRAIN in parts else [UNDECIDED] * len(parts)


def _parts(sources: Sequence[Source]) -> tuple[list[np.ndarray], list[str]]:
    """The part of each file, and a sentence where the names of places decided it."""
    named = parts_of_places([source.where for source in sources])
    parts = [
        np.where(source.parts == UNDECIDED, part, source.parts).astype(np.uint8)
        for source, part in zip(sources, named, strict=True)
    ]
    if not any(named):
        return parts, []
    words = {part: [s.where for s, own in zip(sources, named, strict=True) if own == part] for part in range(4)}
    meant = "; ".join(f"{places_in_words(words[part])} for {PART_NAMES[part]}" for part in (1, 2, 3) if words[part])
    notes = [f"By their names these places are taken for parts of the data: {meant}."]
    if words[UNDECIDED]:
        notes.append(
            f"The name of {places_in_words(words[UNDECIDED])} tells no part of the data, beside places that do: what "
            "is there is shared out as if it had none."
        )
    return parts, notes


def _rows(sources: Sequence[Source], shown: Sequence[str]) -> tuple[SeveralReader, np.ndarray]:
    width = max(source.rows.dtype.itemsize for source in sources)
    readers = [source.reader for source in sources]
    places = [(r.kind, r.where, len(name)) for r, name in zip(readers, shown, strict=True)]
    reader = SeveralReader(json.dumps([width, places]))
    rows = np.zeros(sum(map(len, sources)), reader.row)
    start = 0
    for number, source in enumerate(sources):
        own = source.rows.dtype.itemsize
        inner = np.zeros((len(source), width), np.uint8)
        inner[:, :own] = np.ascontiguousarray(source.rows).view(np.uint8).reshape(len(source), own)
        here = rows[start : start + len(source)]
        here["place"], here["row"] = number, inner.view(f"V{width}")[:, 0]
        start += len(source)
    return reader, rows


def _prefixed(paths: Paths, prefix: str) -> Paths:
    return Paths.of(prefix + path for path in paths)


def _apart(places: Sequence[str]) -> list[str]:
    """The shortest ends of paths or addresses that tell them apart, all of one depth.

    >>> _apart(["data/site1/birds", "data/site2/birds"])
    ['site1/birds', 'site2/birds']
    """
    pieces = [place.replace("\\", "/").rstrip("/").split("/") for place in places]
    for depth in range(1, max(map(len, pieces)) + 1):
        ends = ["/".join(piece[-depth:]) for piece in pieces]
        if len(set(ends)) == len(ends):
            return ends
    return ["/".join(piece) for piece in pieces]


def _common_name(names: Sequence[str]) -> str:
    """What names share at their beginning, else the first: shard-00, shard-01 -> shard."""
    shared = 0
    for letters in zip(*names, strict=False):
        if len(set(letters)) > 1:
            break
        shared += 1
    return names[0][:shared].rstrip("0123456789-_. {") or names[0]

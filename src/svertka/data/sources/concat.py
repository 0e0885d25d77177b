"""Several places as one source: folders, archives and tables one after the other, their classes joined by name."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from svertka.data.folders.folder_layout import SPLITS, TRAIN, UNDECIDED
from svertka.data.path_array import Paths, labeled
from svertka.data.sources.groups import joined_groups
from svertka.data.sources.readers import Reader, open_reader
from svertka.data.sources.source import Source, name_of
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
    skipped = (Unreadable(s + one.path, one.reason) for s, of in zip(shown, sources, strict=True) for one in of.skipped)
    return Source(
        name=_common_name([name_of(source.where) for source in sources]),
        kind=reader.kind,
        where=where,
        classes=classes,
        paths=Paths.joined([_prefixed(source.paths, name) for source, name in zip(sources, shown, strict=True)]),
        labels=labels,
        parts=np.concatenate(_parts(sources)),
        sizes=np.concatenate([source.sizes for source in sources]),
        reader=reader,
        rows=rows,
        skipped=tuple(skipped),
        stamp=" ".join(source.identity().hex() for source in sources),
        notes=tuple(dict.fromkeys(note for source in sources for note in source.notes)),
        groups=joined_groups([(source.groups, len(source)) for source in sources]),
    )


def part_of_name(where: str) -> int:
    """The part that a name speaks of, as a word of its own; 0 where it speaks of none or of several.

    >>> part_of_name("s3://bucket/birds-train-000001.tar"), part_of_name("training.zip")
    (1, 0)
    """
    words = re.split(r"[^a-z]+", name_of(where).lower())
    parts = {SPLITS[word] for word in words if word in SPLITS}
    return parts.pop() if len(parts) == 1 else UNDECIDED


def _parts(sources: Sequence[Source]) -> list[np.ndarray]:
    told = [part_of_name(source.where) for source in sources]
    if TRAIN not in told:
        return [source.parts for source in sources]
    return [
        np.where(source.parts == UNDECIDED, part, source.parts).astype(np.uint8)
        for source, part in zip(sources, told, strict=True)
    ]


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

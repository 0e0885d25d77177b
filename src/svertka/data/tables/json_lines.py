"""Tables of one JSON object a line, as `metadata.jsonl` of the `datasets` library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from svertka.data.sources.location import Place
from svertka.errors import DataError

_BATCH = 2**14  # rows
_LOOKED_AT = 100  # lines whose keys are the columns
_LONGEST = 2**20  # letters of a line


class JsonLines:
    """One file; the keys of its first objects are the columns."""

    def __init__(self, path: Path, place: Place) -> None:
        """`place` is how people call it. Raises DataError: it is no such table."""
        self._path, self._where = path, place.where
        self.notes: list[str] = []
        self.names = tuple(dict.fromkeys(key for row in islice(self._objects(), _LOOKED_AT) for key in row))
        if not self.names:
            raise DataError(f"{self._where} is empty; each line should hold an object with a path and a label.")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[list[str], ...]]:
        """The columns of that name as text; "" where a line lacks the key."""
        objects = self._objects()
        while rows := list(islice(objects, _BATCH)):
            yield tuple([_text(row.get(name)) for row in rows] for name in columns)

    def _objects(self) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            with self._path.open(encoding="utf-8-sig") as file:
                while line := file.readline(_LONGEST):
                    number += 1
                    if not line.strip():
                        continue
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("it is no object")
                    yield row
        except OSError as why:
            raise DataError(f"{self._where} cannot be opened ({why.strerror}).") from why
        except (ValueError, RecursionError) as why:  # UnicodeError and JSON's own are of the first
            reason = str(why).splitlines()[0] if not isinstance(why, RecursionError) else "too deep"
            raise DataError(f"{self._where}: line {number or 1} is no JSON object ({reason[:100]}).") from why


def _text(value: Any) -> str:
    """A value as a name: whole numbers without a fraction, several values with bars between them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "|".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value).strip()

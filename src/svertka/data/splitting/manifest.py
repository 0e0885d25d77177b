"""The manifest: which files a run learned from, was chosen by and was judged by.

One JSON file of columns, so that 70,000 files take a second of nobody's time and any program can read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from svertka.common.atomic_write import atomic_write
from svertka.common.messages import listed, message, restored, storable
from svertka.common.text import shorten
from svertka.data.folders.part_names import PART_NAMES, TRAIN, UNDECIDED, VALIDATION
from svertka.data.path_array import Paths, counted
from svertka.data.sources.groups import groups_by_pattern
from svertka.data.sources.source import Source
from svertka.data.splitting.holdout import cut, joined
from svertka.data.splitting.previous_split import Known, parts_as_before
from svertka.data.store.store import Store
from svertka.errors import DataError, RunError

Part = Literal["train", "validation", "test"]

_VERSION = 1
_AT_ONCE = 2**14  # files whose entries are written at once
_LETTERS = "?tve"  # undecided, train, validation, test (e for evaluation)


@dataclass(frozen=True)
class Manifest:
    """The files of a run.

    Attributes:
        classes: names of classes, in natural order.
        paths: of each file, as in its source.
        labels: int32 (n,), index into `classes`.
        parts: uint8 (n,), 1 train, 2 validation, 3 test.
        digests: uint8 (n, 16), BLAKE2b-128 of the bytes of each file.
        seed: of the split.
        reasons: why file i could not be read; it belongs to its part in name only.
        notes: sentences on what looks odd but is allowed.
    """

    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: np.ndarray
    parts: np.ndarray
    digests: np.ndarray
    seed: int
    reasons: dict[int, str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def indices(self, part: Part) -> np.ndarray:
        """The readable files of one part: int64, ascending."""
        wanted = self.parts == PART_NAMES.index(part)
        wanted[list(self.reasons)] = False
        return np.flatnonzero(wanted)

    def matches(self, store: Store) -> bool:
        """Whether a store holds these very files: the same contents in the same order."""
        return np.array_equal(self.digests, store.digests)

    def save(self, path: str | Path) -> None:
        """Write it as JSON; the file is there in full or not at all."""
        try:
            with atomic_write(path) as file:
                file.writelines(text.encode("ascii") for text in self._json())
        except OSError as why:
            raise RunError(f"The manifest cannot be written to {path} ({why.strerror}).") from why

    def _json(self) -> Iterator[str]:
        """The text of the file in pieces: of a million files it is never in memory as a whole."""
        small = {
            "svertka": _VERSION,
            "classes": list(self.classes),
            "seed": self.seed,
            "notes": storable(self.notes),
            "unreadable": {str(i): storable(reason) for i, reason in sorted(self.reasons.items())},
        }
        # each in a line of its own, and what grows with the files in lines of many: no reader need hold all of it
        for n, (name, value) in enumerate(small.items()):
            yield f"{',' if n else '{'}\n{_brief(name)}: {_brief(value)}"
        yield ',\n"parts": "'
        for rows in self._stretches():
            yield "".join(_LETTERS[p] for p in self.parts[rows].tolist())
        yield '"'
        columns: dict[str, Callable[[slice], list[Any]]] = {
            "labels": lambda rows: self.labels[rows].tolist(),
            "paths": lambda rows: list(self.paths[rows]),
            "digests": lambda rows: _hex(self.digests[rows]),
        }
        for name, column in columns.items():
            yield f",\n{_brief(name)}: ["
            for rows in self._stretches():
                yield ("," if rows.start else "") + "\n" + _brief(column(rows))[1:-1]
            yield "\n]"
        yield "\n}\n"

    def _stretches(self) -> Iterator[slice]:
        return (slice(first, min(first + _AT_ONCE, len(self))) for first in range(0, len(self), _AT_ONCE))

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read what `save` wrote.

        Raises:
            RunError: the file is missing, damaged, or of another version.
        """
        try:
            data = _read(Path(path))
        except OSError as why:
            raise RunError(f"The manifest {path} cannot be read ({why.strerror}).") from why
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as why:
            raise RunError(f"The manifest {path} is damaged ({type(why).__name__}: {shorten(str(why))}).") from why
        if not isinstance(data, dict) or data.get("svertka") != _VERSION:
            raise RunError(f"The manifest {path} is of another version than this svertka reads ({_VERSION}).")
        try:
            return _from_json(data)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as why:
            raise RunError(f"The manifest {path} is damaged ({type(why).__name__}: {shorten(str(why))}).") from why


def make_manifest(
    source: Source,
    store: Store,
    seed: int = 0,
    share: float | None = None,
    *,
    copies: np.ndarray | None = None,
    group_by: str | None = None,
    earlier: Manifest | None = None,
) -> Manifest:
    """Decide which file serves what: given parts are kept, a missing validation part is cut from train.

    Args:
        source, store: the files, and what reading them gave.
        seed: of the draw.
        share: of the training files that becomes validation where there is none; 20 % up to 5,000 files where
        None.
        copies: int (n,), the same number for files that must stay together, such as near-duplicates.
        group_by: a pattern on the path; files with the same match stay together, as do those of `source.groups`.
        earlier: the manifest of another run, whose files stay where they were.

    Raises:
        DataError: a class has no readable training picture, or nothing is left to validate on.
        RecipeError: the share or the pattern cannot be used.
    """
    labels, parts, notes = source.labels, source.parts.copy(), list(source.notes)
    group = np.arange(len(labels)) if copies is None else copies
    identity = store.digests
    groups = source.groups
    if group_by is not None and (groups is None or groups.by != group_by):
        groups = groups_by_pattern(source.paths, group_by)
    if groups is not None:
        group, identity = joined(group, groups.codes), groups.digests(source.paths)
        notes += [*groups.notes, *groups.warnings(source.paths, source.parts)]
    settled = parts != UNDECIDED
    if earlier is not None:
        known = Known(earlier.paths, earlier.parts, earlier.digests)
        parts, settled, told = parts_as_before(source.paths, parts, store.digests, group, known)
        seed, notes = earlier.seed, notes + told
    parts[parts == UNDECIDED] = TRAIN
    if not (parts == TRAIN).any():
        there = " and ".join(sorted({PART_NAMES[p] for p in np.unique(parts).tolist()}))
        raise DataError(f"{source.where} has pictures for {there} only; there is nothing to learn from.")
    pool = np.flatnonzero((parts == TRAIN) & store.readable)
    _every_class_readable(source, store, pool, parts == TRAIN)
    held_out = (parts == VALIDATION).any()
    if earlier is not None or not held_out:
        chosen = cut(labels[pool], identity[pool], share, seed, group[pool])
        if held_out:  # only new files are free to go
            chosen &= ~settled[pool]
        parts[pool[chosen]] = VALIDATION
        notes += _without_validation(source, labels[pool], labels[pool][chosen]) if not held_out else []
    if not ((parts == VALIDATION) & store.readable).any():
        raise DataError(
            f"{source.where} leaves no picture to validate on: "
            + ("none of those given for it can be read." if (source.parts == VALIDATION).any()
               else "no class has two different pictures, so nothing can be held out; what lies in a folder val "
               "beside train validates all the same.")
        )  # fmt: skip
    return Manifest(source.classes, source.paths, labels, parts, store.digests, seed, store.reasons, tuple(notes))


def _every_class_readable(source: Source, store: Store, pool: np.ndarray, training: np.ndarray) -> None:
    n = len(source.classes)
    readable = np.bincount(source.labels[pool], minlength=n)
    there = np.bincount(source.labels[training], minlength=n)
    for label in np.flatnonzero(readable == 0).tolist():
        name = source.classes[label]
        if not there[label]:
            raise DataError(f"{source.where}: the class {name!r} has no training picture.")
        i = int(np.flatnonzero(training & (source.labels == label))[0])
        raise DataError(
            f"{source.where}: none of the {counted(int(there[label]), 'training picture')} "
            f"of the class {name!r} can be read ({source.paths[i]}: {store.reasons[i]})."
        )


def _without_validation(source: Source, pool: np.ndarray, chosen: np.ndarray) -> list[str]:
    """A sentence for the classes that gave nothing to the validation part."""
    n = len(source.classes)
    bare = np.flatnonzero((np.bincount(pool, minlength=n) > 0) & (np.bincount(chosen, minlength=n) == 0)).tolist()
    if not bare:
        return []
    return [
        message(
            "no-validation-of",
            "{names}: there is a single picture, or only copies of one, so none could be held out, and nothing is "
            "known of how well it is recognized.",
            names=listed([source.classes[c] for c in bare], 5),
        )
    ]


def _read(path: Path) -> Any:
    """The columns of a manifest by name; where they stand in lines as `save` writes them, packed line by line."""
    with path.open(encoding="utf-8") as file:
        try:
            return _by_lines(file)
        except (ValueError, TypeError, AttributeError):  # another program has written it anew, or it is damaged
            file.seek(0)
            data = json.load(file, object_hook=restored)
    return {name: _packed(name, column) for name, column in data.items()} if isinstance(data, dict) else data


def _by_lines(file: IO[str]) -> dict[str, Any]:
    """Raises ValueError where they are not the lines of `save`."""
    data: dict[str, Any] = {}
    column, stretches = "", list[Any]()
    if file.readline() != "{\n":
        raise ValueError
    for line in file:
        text = line.rstrip(",\n")
        if text == "}" and not column:
            return data
        if text == "]" and column:
            data[column] = Paths.joined(stretches) if column == "paths" else np.concatenate(stretches)
            column = ""
        elif column:
            stretches.append(_packed(column, json.loads(f"[{text}]")))
        elif text.endswith(": ["):
            column, stretches = json.loads(text.removesuffix(": [")), []
        else:
            data |= {
                name: _packed(name, value) for name, value in json.loads(f"{{{text}}}", object_hook=restored).items()
            }
    raise ValueError


def _packed(name: str, column: Any) -> Any:
    """A column without an object for each file."""
    if name == "paths":
        return Paths.of(column)
    if name == "labels":
        return np.array(column, np.int32)
    if name == "parts":
        return np.array([_LETTERS.index(letter) for letter in column], np.uint8)
    if name == "digests":
        return np.frombuffer(bytes.fromhex("".join(column)), np.uint8).reshape(-1, 16)
    return column


def _from_json(data: dict[str, Any]) -> Manifest:
    classes, paths, labels, parts, digests = (data[name] for name in ("classes", "paths", "labels", "parts", "digests"))
    classes = tuple(map(str, classes))
    reasons = {int(i): _sentence(reason) for i, reason in data["unreadable"].items()}
    n = len(paths)
    if not len(labels) == len(parts) == len(digests) == n:
        raise ValueError("its columns differ in length")
    if n and not (labels.min() >= 0 and labels.max() < len(classes)):
        raise ValueError("a label has no class")
    if any(not 0 <= i < n for i in reasons):
        raise ValueError("an unreadable file that is not listed")
    return Manifest(
        classes, paths, labels, parts, digests, int(data["seed"]), reasons, tuple(map(_sentence, data["notes"]))
    )


def _sentence(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("a sentence that is none")
    return text


def _brief(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _hex(digests: np.ndarray) -> list[str]:
    text = np.ascontiguousarray(digests).tobytes().hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]

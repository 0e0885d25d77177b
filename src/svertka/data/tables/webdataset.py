"""Tar shards in the WebDataset convention: the members of one sample share their name up to its first dot.

    0001.jpg  0001.cls  0001.json      0002.jpg  0002.cls  0002.json  ...

The class stands in `.cls` or `.txt` as text, or under a key in `.json`; a shard is a table whose columns are these.
Convention: https://github.com/webdataset/webdataset
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from svertka.data.folders.file_names import extension, has_picture_extension
from svertka.data.folders.file_tree import Tree
from svertka.data.sources.location import Place
from svertka.data.sources.readers import TarReader
from svertka.data.sources.source import Source
from svertka.data.tables.table import Rows, roles_of, table_source
from svertka.errors import ReadError

_LABEL_BYTES = 2**16  # of a member that describes a sample; more is no label
_LETTERS = 200  # of a class name; more is a caption

Sample = dict[str, tuple[str, np.void]]  # "path", "cls", "txt", "json" -> the member's path and row


def is_shard(tree: Tree) -> bool:
    """Whether an archive has labels beside its pictures: .cls anywhere, else .txt or .json where all lie in one folder.

    In class folders a .txt or .json beside a picture tells something else of it.
    """
    folders = [d for d in tree.directories.values() if any(map(has_picture_extension, d.names))]
    if any(name.lower().endswith(".cls") for d in folders for name in d.names):
        return True
    if len(folders) != 1:
        return False
    keys = {name.partition(".")[0] for name in folders[0].names if has_picture_extension(name)}
    told = {name.partition(".")[0] for name in folders[0].names if extension(name) in ("txt", "json")}
    return 2 * len(keys & told) > len(keys)


def shard_source(tree: Tree, reader: TarReader, place: Place, stamp: str, group_by: str | None) -> Source:
    """The source of one shard.

    Raises:
        DataError: no sample has a picture and a label.
    """
    found = [_samples(tree, folder, reader) for folder in tree.directories]
    samples = [sample for some in found for sample in some if "path" in sample]
    first = next((told for sample in samples[:100] if (told := _description(sample, reader))), {})
    present = {name for sample in samples for name in sample}
    names = tuple(dict.fromkeys([*(n for n in ("path", "cls", "txt") if n in present), *first]))
    roles = roles_of(names, place, group_by)
    source = table_source(place, reader, stamp, roles, _rows(samples, roles, reader), kind="shards")
    return replace(source, skipped=(*tree.skipped, *source.skipped))


def _samples(tree: Tree, folder: str, reader: TarReader) -> list[Sample]:
    """The members of a directory by sample; of several pictures the one with the shortest name, the others are told."""
    names, rows = tree.directories[folder].ordered(reader.row)
    samples: dict[str, Sample] = {}
    for name, row in zip(names, rows, strict=True):
        key, _, rest = name.partition(".")
        kind = "path" if has_picture_extension(name) else rest.lower()
        if kind not in ("path", "cls", "txt", "json"):
            continue
        sample = samples.setdefault(key, {})
        path = f"{folder}/{name}" if folder else name
        if kind not in sample:
            sample[kind] = path, row
            continue
        kept, left = sorted((sample[kind], (path, row)), key=lambda member: len(member[0]))
        sample[kind] = kept
        tree.skip(left[0], f"another member of the sample {key!r}, of which {kept[0]} is read")
    return list(samples.values())


def _rows(samples: list[Sample], roles: dict[str, str], reader: TarReader) -> Iterator[Rows]:
    rows = np.zeros(len(samples), reader.row)
    text: dict[str, list[str]] = {role: [] for role in roles}
    reasons: dict[int, str] = {}
    described = any(name not in ("path", "cls", "txt") for name in roles.values())
    for i, sample in enumerate(samples):
        rows[i] = sample["path"][1]
        told = _description(sample, reader) if described else {}
        for role, name in roles.items():
            if name == "path":
                text[role].append(sample["path"][0])
            elif name in ("cls", "txt"):
                text[role].append(_text(sample.get(name), reader))
            else:
                text[role].append(_word(told.get(name)))
        label = text["label"][-1]
        if len(label) > _LETTERS or "\n" in label:
            reasons[i] = f"the text beside it is no class name (it begins with {label[:20]!r})"
    yield Rows(text["path"], text["label"], text.get("part"), text.get("group"), rows, reasons)


def _description(sample: Sample, reader: TarReader) -> dict[str, Any]:
    """What the .json of a sample says; empty where it has none or it is no object."""
    try:
        told = json.loads(_text(sample.get("json"), reader) or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(member: tuple[str, np.void] | None, reader: TarReader) -> str:
    """The text of a small member; "" where it is missing, too large or cannot be read: then there is no label."""
    if member is None or member[1]["size"] > _LABEL_BYTES:
        return ""
    try:
        return reader.fetch(*member).decode("utf-8-sig", "replace").strip()
    except ReadError:
        return ""


def _word(value: object) -> str:
    return str(value).strip() if isinstance(value, (str, int)) else ""

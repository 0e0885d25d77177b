"""Reading a file of a run folder: checked for what it should hold, or one sentence on what is wrong with it.

A run folder may come from anywhere. No file of it is executed, none makes this process take much more memory than the
file is long, and none that is damaged ends in anything but a RunError that names the file and the place in it.
"""

from __future__ import annotations

import json
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from svertka.common.messages import restored
from svertka.common.text import reason, shorten
from svertka.errors import RecipeError, RunError
from svertka.kinds import preprocess_from
from svertka.runs import layout
from svertka.runs.old_names import renew
from svertka.runs.records import RecipeFile

T = TypeVar("T")
Arrays = Mapping[str, np.ndarray]

LARGEST = 1 << 63  # of a whole number
_KINDS = {"int": "iu", "float": "f", "number": "f", "text": "U"}  # letters of dtypes; others are the name of one
_BROKEN = (
    OSError, ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError, NotImplementedError, RuntimeError,
    Warning, struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError,
)  # fmt: skip


# ---- JSON


def read_text(path: Path) -> str:
    """All of a file.

    Raises:
        RunError: it is missing, or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path} is missing; a run folder has one, so this run is incomplete.") from None
    except OSError as why:
        raise RunError(f"{path} cannot be read: {reason(why)}.") from why
    except UnicodeDecodeError as why:
        raise RunError(f"{path} is damaged: it is no text in UTF-8.") from why


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        RunError: it is missing or damaged.
    """
    return parse_object(read_text(path), str(path))


def parse_object(text: str, where: str) -> dict[str, Any]:
    """One JSON object; numbers in it are finite, and no member is there twice.

    Raises:
        RunError: it is none; the message begins with `where`.
    """
    try:
        content = _DECODER.decode(text)
    except RecursionError:
        raise RunError(f"{where} is damaged: it is nested too deeply.") from None
    except ValueError as why:
        raise RunError(f"{where} is damaged: it is not valid JSON ({shorten(str(why))}).") from why
    if not isinstance(content, dict):
        raise RunError(f"{where} is damaged: it should hold one JSON object.")
    return content


def as_record(content: Any, kind: type[T], where: str) -> T:
    """The plain data as a record, checked member by member.

    Raises:
        RunError: they do not fit; the message begins with `where`.
    """
    try:
        return msgspec.convert(content, kind)
    except UnicodeEncodeError as why:  # a lone surrogate in a name, or where no text should be
        raise RunError(f"{where} is damaged: it holds {ascii(why.object)[:60]} where that cannot be.") from why
    except (msgspec.ValidationError, RecursionError) as why:
        fact, _, member = str(why).partition(" - at `$")
        at = f" at {shorten(member.strip('.`'), 60)}" if member else ""
        raise RunError(f"{where} is damaged: {shorten(fact[:1].lower() + fact[1:])}{at}.") from why


def read_recipe(run: Path) -> RecipeFile:
    """recipe.json of a run.

    Raises:
        RunError: it is missing or damaged, or a newer svertka wrote it.
    """
    return recipe_of(renewed(run / layout.RECIPE), run)


def recipe_of(content: dict[str, Any], run: Path) -> RecipeFile:
    """The content of recipe.json as a record.

    Raises:
        RunError: it is damaged, or a newer svertka wrote it.
    """
    found = content.get("format", 1)
    if not isinstance(found, int) or not 1 <= found <= layout.FORMAT:
        raise RunError(
            f"{run} was written by a newer svertka ({str(content.get('svertka', 'version unknown'))[:40]}, format "
            f"{str(found)[:40]}; this one knows the formats 1 to {layout.FORMAT}): update it."
        )
    return as_record(content, RecipeFile, str(run / layout.RECIPE))


def read_optional(path: Path, kind: type[T]) -> T | None:
    """A JSON file that not every run has, as a record; None where there is none.

    Raises:
        RunError: it is damaged.
    """
    return read_record(path, kind) if path.exists() else None


def renewed(path: Path) -> dict[str, Any]:
    """The JSON object of a file of a run, in today's names.

    Raises:
        RunError: it is missing or damaged.
    """
    return renew(path.name, read_object(path))


def as_preprocess(content: Any, where: Path) -> Any:
    """How a sample becomes input, as a file says it: the `Preprocess` of its kind.

    Raises:
        RunError: it does not; the message begins with `where`.
    """
    try:
        return preprocess_from(content)
    except (RecipeError, TypeError, ValueError, AttributeError, KeyError) as why:
        raise RunError(f"{where} is damaged, in how pictures are prepared: {shorten(str(why))}") from why


def log_lines(path: Path) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The lines of log.jsonl, each with its record; None where it is none, as of a line that was cut.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        # cut in the middle of a letter, too; and some letters count as ends of lines to `splitlines`
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as why:
        raise RunError(f"{path} cannot be read: {reason(why)}.") from why
    for line in lines:
        try:
            yield line, parse_object(line, "")
        except RunError:
            yield line, None


def read_record(path: Path, kind: type[T]) -> T:
    """A JSON file of a run as a record, in today's names.

    Raises:
        RunError: it is missing or damaged.
    """
    return as_record(renewed(path), kind, str(path))


def _members(pairs: list[tuple[str, Any]]) -> Any:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return restored(content)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number


def _whole(text: str) -> int:
    if len(text) > 20 or not -LARGEST <= (number := int(text)) < LARGEST:
        raise ValueError("a whole number is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_int=_whole, parse_constant=_finite)


# ---- arrays


def read_npz(path: Path, shapes: Mapping[str, str], sizes: Mapping[str, int] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a file, in the types and shapes that they should have; none where there is no such file.

    Args:
        path: the file.
        shapes: by name of the array a type (int, text, float: all finite, number: a float that may not be, or a type
            of numpy) and its sizes, as in "uint8 k h w c"; a size of the same name is the same everywhere. An array
            whose name ends in "?" may be missing.
        sizes: those that are known.

    Raises:
        RunError: it is damaged, or an array is missing or of another type or shape.
    """
    if not path.exists():
        return {}
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("error")
            arrays = {member.filename.removesuffix(".npy"): _array(archive, member) for member in archive.infolist()}
    except _BROKEN as why:
        raise RunError(f"{path} is damaged: {shorten(str(why) or type(why).__name__)}.") from why
    known = dict(sizes or {})
    for name, shape in shapes.items():
        array = arrays.get(name.removesuffix("?"))
        if array is None and not name.endswith("?"):
            raise RunError(f"{path} is damaged: it should hold `{name}`.")
        if array is not None and not any(_fits(array, form, known) for form in shape.split("|")):
            wanted = shape.replace("|", " or ")
            raise RunError(
                f"{path} is damaged: `{name.removesuffix('?')}` should be {wanted}, not {array.dtype} {array.shape}."
            )
    return arrays


def within(path: Path, name: str, index: np.ndarray, size: int, what: str) -> None:
    """Refuse an index, of any shape, that points outside `size` of something.

    Raises:
        RunError: it does.
    """
    if index.size and not (index.min() >= 0 and index.max() < size):
        raise RunError(f"{path} is damaged: `{name}` points outside the {size:,} {what}.")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One member, after a look at its head: an array is as large as the file says, and holds no objects."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_head(file)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename} is not as large as its shape")
    with archive.open(member) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _fits(array: np.ndarray, shape: str, known: dict[str, int]) -> bool:
    kind, *dims = shape.split()
    right = array.dtype.kind in _KINDS[kind] if kind in _KINDS else array.dtype == kind
    if not right or array.ndim != len(dims) or (kind == "float" and not np.isfinite(array).all()):
        return False
    return all(n == (int(d) if d.isdigit() else known.setdefault(d, n)) for d, n in zip(dims, array.shape, strict=True))

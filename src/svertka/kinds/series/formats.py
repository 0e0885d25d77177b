"""Files of series, a row each: .ts of the UEA archive, and tables of numbers as the UCR archive has them.

.ts    lines of `#` comments and `@` facts up to `@data`; then values between commas, channels between colons, and the
       class behind the last colon
.tsv, .txt, .csv   the class first, then the values of one channel, between tabs, blanks or commas; a .csv may name its
       columns in its first line, and its class may then stand in any column that is called so
"""

from __future__ import annotations

import io
import math
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from svertka.errors import ReadError
from svertka.kinds.base import Array

EXTENSIONS = frozenset(["ts", "tsv", "txt", "csv"])
SHORTEST = 8  # values in a row from which a table of numbers is taken for series
CLASS = ("label", "class", "target", "y")
MAGIC = b"\x93NUMPY"


class Form(NamedTuple):
    """How the rows of one file are written.

    separator  between values; "" is any number of blanks
    label      the place of the class among the fields; -1 behind the last colon (.ts), None where there is none
    start      bytes before the first row
    """

    separator: str
    label: int | None
    start: int


def form_of(path: str, head: bytes, length: int | None = None) -> Form | None:
    """How the rows of a file are written, told from its first bytes; None where they are no series.

    Args:
        path: its name.
        head: the first bytes; a whole row at least, and of a .ts file all before the first.
        length: of the series that are expected: a row of so many numbers has no class.
    """
    extension = PurePosixPath(path).suffix.lower().lstrip(".")
    if extension == "ts":
        return _form_of_ts(head)
    if extension not in EXTENSIONS:
        return None
    lines = head.splitlines(keepends=True)
    if len(lines) > 1 and not lines[-1].endswith((b"\n", b"\r")) and len(head) >= HEAD:
        lines.pop()  # cut by the end of what was read
    separator = {"tsv": "\t", "csv": ","}.get(extension, "")
    fields = [_fields(line, separator) for line in lines[:3] if line.strip()]
    if not fields or fields[-1] is None:
        return None
    first, label, start = fields[0] or [], 0, 0
    if len(fields) > 1 and not any(map(_is_number, first)):  # names of columns
        names = [name.strip().lower() for name in first]
        label, start = next((names.index(c) for c in CLASS if c in names), 0), len(lines[0])
        fields = fields[1:]
    counts = {len(row or ()) for row in fields}
    n = counts.pop()
    if counts or n <= SHORTEST:
        return None
    row = fields[0] or []
    place = None if n == length else label
    numbers = [value for k, value in enumerate(row) if k != place]
    return Form(separator, place, start) if all(map(_is_value, numbers)) else None


HEAD = 2**18  # bytes in which the first row must end


def _form_of_ts(head: bytes) -> Form | None:
    at = head.lower().find(b"@data")
    if at < 0:
        return None
    labeled = b"@classlabel true" in head[:at].lower()
    start = head.find(b"\n", at) + 1
    return Form(",", -1 if labeled else None, start) if start else None


def _fields(line: bytes, separator: str) -> list[str] | None:
    try:
        text = line.decode().strip("\r\n \ufeff")
    except UnicodeDecodeError:
        return None
    return text.split(separator) if separator else text.split()


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_value(text: str) -> bool:
    return text.strip().lower() in ("?", "nan", "") or _is_number(text)


def label_of(line: bytes, form: Form) -> str:
    """The class of a row; "" where it has none. Whole numbers are written without a point.

    >>> label_of(b"2.0000e+00 1 2 3", Form("", 0, 0)), label_of(b"1,2:3,4:walk", Form(",", -1, 0))
    ('2', 'walk')
    """
    if form.label is None:
        return ""
    if form.label == -1:
        text = line.rpartition(b":")[2].decode(errors="replace").strip()
    else:
        fields = _fields(line, form.separator)
        text = fields[form.label].strip() if fields and len(fields) > form.label else ""
    return str(int(float(text))) if _is_number(text) and float(text).is_integer() else text


def values_of(line: bytes, form: Form, path: str) -> Array:
    """The numbers of a row: float32 (length, channels).

    Raises:
        ReadError: it holds something else, or channels of different length.
    """
    text = line.decode(errors="replace").strip("\r\n \ufeff")
    if form.label == -1:
        text = text.rpartition(":")[0]
    try:
        if form.label is not None and form.label >= 0:
            fields = text.split(form.separator) if form.separator else text.split()
            del fields[form.label]
            channels = [np.array(fields, np.float32)]
        else:
            parts = text.split(":")
            channels = [np.array(p.split(form.separator) if form.separator else p.split(), np.float32) for p in parts]
    except (ValueError, IndexError) as why:
        missing = "?" in text or ",," in text
        reason = "values are missing in it" if missing else "it holds something that is no number"
        raise ReadError(path, reason) from why
    if len({len(c) for c in channels}) != 1:
        raise ReadError(path, "its channels have different lengths")
    return np.stack(channels, 1)


def to_bytes(values: Array) -> bytes:
    """Series as the bytes of a .npy file, which `from_bytes` reads."""
    file = io.BytesIO()
    np.save(file, np.asarray(values, np.float32), allow_pickle=False)
    return file.getvalue()


def from_bytes(data: bytes, path: str) -> Array:
    """A .npy file of numbers, (length,) or (length, channels) -> float32 (length, channels).

    Raises:
        ReadError: it is no such file, or values are missing.
    """
    try:
        values = np.asarray(np.load(io.BytesIO(data), allow_pickle=False), np.float32)
    except (ValueError, EOFError, OSError) as why:
        raise ReadError(path, "it is no array of numbers (.npy)") from why
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.size:
        raise ReadError(path, f"it is no series, but an array of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ReadError(path, "values are missing in it")
    return values

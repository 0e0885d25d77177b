"""Whether the rows of a file are samples, and of which kind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from svertka.errors import DataError
from svertka.kinds import KINDS, kind
from svertka.kinds.base import Kind

HEAD = 2**18  # bytes that tell how the rows of a file are written


def row_kind(path: Path, preprocess: Any = None) -> tuple[Kind, Any] | None:
    """The kind of the samples in the rows of a file, and how the rows are written; None where they are no samples.

    Args:
        path: the file.
        preprocess: of the samples that are expected, where that is known.

    Raises:
        DataError: it cannot be read.
    """
    extension = path.suffix.lower().lstrip(".")
    kinds = [k for name in KINDS if extension in (k := kind(name)).row_extensions]
    if not kinds:
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as why:
        raise DataError(f"{path} cannot be read ({why.strerror}).") from why
    found = ((k, form) for k in kinds if (form := k.row_form(path.name, head, preprocess)) is not None)
    return next(found, None)


def row_files(folder: Path, names: Iterable[str]) -> list[Path]:
    """Those of the files of a folder whose rows are samples, in order."""
    suffixes = {f".{extension}" for name in KINDS for extension in kind(name).row_extensions}
    paths = [folder / name for name in sorted(names) if PurePosixPath(name).suffix.lower() in suffixes]
    return [path for path in paths if row_kind(path) is not None]

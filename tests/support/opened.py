"""What opening a source says: what it left aside, and the sentence of a refusal."""

import csv

import pytest

from svertka.data import open_source
from svertka.errors import DataError, UsageError


def left_aside(source) -> dict[str, str]:
    return {one.path: one.reason for one in source.skipped}


def refusal(where, **options):
    with pytest.raises((DataError, UsageError)) as caught:
        open_source(where, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def table(path, *rows, separator=",", encoding="utf-8"):
    """Write rows as a table of separated values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path

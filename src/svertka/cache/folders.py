"""Where cached things live: decoded pictures, downloaded weights, measured plans. Never inside the user's data."""

from __future__ import annotations

import os
import re
from pathlib import Path

from svertka.errors import UsageError

_LIMIT = "SVERTKA_CACHE_LIMIT"
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def cache_folder(kind: str = "") -> Path:
    """The folder for one kind of cached things, which may not exist yet; SVERTKA_CACHE overrides the usual place."""
    named = os.environ.get("SVERTKA_CACHE")
    if named:
        root = Path(named)
    else:
        import platformdirs

        root = Path(platformdirs.user_cache_dir("svertka", appauthor=False))
    return root / kind if kind else root


def cache_limit() -> int | None:
    """Bytes that the cache may hold, as SVERTKA_CACHE_LIMIT says; None where it says nothing.

    Raises:
        UsageError: it is no amount.
    """
    named = os.environ.get(_LIMIT)
    return parse_bytes(named) if named else None


def limit_cache(amount: str | None) -> None:
    """Let the cache hold so much in this process and those it starts, such as "20GB".

    Raises:
        UsageError: it is no amount.
    """
    if amount is not None:
        parse_bytes(amount)
        os.environ[_LIMIT] = amount


def parse_bytes(amount: str) -> int:
    """A number of bytes with or without a unit.

    >>> parse_bytes("20GB"), parse_bytes("1.5 MiB"), parse_bytes("1000")
    (20000000000, 1572864, 1000)

    Raises:
        UsageError: it is no amount.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", amount, re.IGNORECASE)
    if match is None or match[2].lower() not in _UNITS:
        raise UsageError(f"A limit of the cache is an amount such as 20GB, 500 MB or 1.5TiB; received {amount!r}.")
    return int(float(match[1]) * _UNITS[match[2].lower()])

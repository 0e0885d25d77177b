"""Signals: bytes -> pixels -> tensor; pictures so far.

Names are fetched from their homes when first used; torch is imported by `Preprocess.normalise` alone.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that defines it
_HOMES: dict[str, str] = {
    "Preprocess": "svertka.signals.preprocess",
    "back": "svertka.signals.geometry",
    "fit": "svertka.signals.image",
    "read": "svertka.signals.image",
    "Header": "svertka.signals.pixels",
    "decode": "svertka.signals.pixels",
    "header": "svertka.signals.pixels",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'svertka.signals' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Signals: bytes -> pixels -> tensor; pictures so far.

Names are fetched from their homes when first used; torch is imported by `Preprocess.normalize` alone.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that defines it
_HOMES: dict[str, str] = {
    "Preprocess": "svertka.kinds.image.preprocess",
    "back": "svertka.kinds.image.geometry",
    "fit": "svertka.kinds.image.reader",
    "read": "svertka.kinds.image.reader",
    "Header": "svertka.kinds.image.decoder",
    "decode": "svertka.kinds.image.decoder",
    "header": "svertka.kinds.image.decoder",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'svertka.kinds.image' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""From a folder or archive to decoded pixels: source -> manifest -> split -> store -> loader.

Names are fetched from their homes when first used, so that a decode worker, which needs two of them, imports
no more.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that defines it
_HOMES: dict[str, str] = {
    "Source": "svertka.data.source",
    "open_source": "svertka.data.opening",
    "reopen_source": "svertka.data.opening",
    "Survey": "svertka.data.headers",
    "survey": "svertka.data.headers",
    "Store": "svertka.data.store",
    "StoreJob": "svertka.data.build",
    "begin_store": "svertka.data.build",
    "Copies": "svertka.data.copies",
    "find_copies": "svertka.data.copies",
    "Manifest": "svertka.data.manifest",
    "make_manifest": "svertka.data.manifest",
    "Loader": "svertka.data.loader",
    "Augment": "svertka.data.augment",
    "batches": "svertka.data.flows",
    "dataset": "svertka.data.pictures",
    "PictureDataset": "svertka.data.pictures",
    "picture_files": "svertka.data.unlabelled",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'svertka.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

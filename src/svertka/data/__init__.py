"""From a folder or archive to decoded pixels: source -> manifest -> split -> store -> loader.

Names are fetched from their homes when first used, so that a decode worker, which needs two of them, imports
no more.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that defines it
_HOMES: dict[str, str] = {
    "Source": "svertka.data.sources.source",
    "open_source": "svertka.data.sources.open",
    "reopen_source": "svertka.data.sources.open",
    "Survey": "svertka.data.sources.survey",
    "survey": "svertka.data.sources.survey",
    "Store": "svertka.data.store.store",
    "StoreJob": "svertka.data.store.builder",
    "begin_store": "svertka.data.store.builder",
    "Copies": "svertka.data.splitting.near_duplicates",
    "find_copies": "svertka.data.splitting.near_duplicates",
    "Manifest": "svertka.data.splitting.manifest",
    "make_manifest": "svertka.data.splitting.manifest",
    "Loader": "svertka.data.loading.loader",
    "Augment": "svertka.kinds.image.augment.augment",
    "batches": "svertka.data.loading.numpy_batches",
    "dataset": "svertka.data.loading.torch_dataset",
    "PictureDataset": "svertka.data.loading.torch_dataset",
    "picture_files": "svertka.data.folders.unlabeled_files",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'svertka.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

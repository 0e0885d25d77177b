"""From a folder or archive to decoded pixels: source -> manifest -> split -> store -> loader.

Names are fetched from their modules when first used, so that a decode worker, which needs two of them, imports
no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svertka.common.lazy import lazy_face

__all__ = [
    "Augment",
    "Copies",
    "Loader",
    "Manifest",
    "PictureDataset",
    "Source",
    "Store",
    "StoreJob",
    "batches",
    "begin_store",
    "dataset",
    "find_copies",
    "make_manifest",
    "open_source",
    "picture_files",
    "reopen_source",
    "survey",
]

if TYPE_CHECKING:
    from svertka.data.folders.unlabeled_files import picture_files
    from svertka.data.loading.loader import Loader
    from svertka.data.loading.numpy_batches import batches
    from svertka.data.loading.torch_dataset import PictureDataset, dataset
    from svertka.data.sources.open import open_source, reopen_source
    from svertka.data.sources.source import Source
    from svertka.data.sources.survey import survey
    from svertka.data.splitting.manifest import Manifest, make_manifest
    from svertka.data.splitting.near_duplicates import Copies, find_copies
    from svertka.data.store.builder import StoreJob, begin_store
    from svertka.data.store.store import Store
    from svertka.kinds.image.augment.augment import Augment
else:
    __getattr__, __dir__ = lazy_face(
        __name__,
        {
            "svertka.data.folders.unlabeled_files": ("picture_files",),
            "svertka.data.loading.loader": ("Loader",),
            "svertka.data.loading.numpy_batches": ("batches",),
            "svertka.data.loading.torch_dataset": ("PictureDataset", "dataset"),
            "svertka.data.sources.open": ("open_source", "reopen_source"),
            "svertka.data.sources.source": ("Source",),
            "svertka.data.sources.survey": ("survey",),
            "svertka.data.splitting.manifest": ("Manifest", "make_manifest"),
            "svertka.data.splitting.near_duplicates": ("Copies", "find_copies"),
            "svertka.data.store.builder": ("StoreJob", "begin_store"),
            "svertka.data.store.store": ("Store",),
            "svertka.kinds.image.augment.augment": ("Augment",),
        },
    )

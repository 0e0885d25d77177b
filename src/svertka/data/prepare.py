"""Source -> decoded store -> manifest: what any training needs of its pictures, in one frozen object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svertka.common.messages import message
from svertka.data.splitting.manifest import Manifest, Part, make_manifest
from svertka.data.splitting.near_duplicates import find_copies
from svertka.data.store.builder import StoreJob, begin_store
from svertka.records import FilesDecoded, Unreadable, Watch, silent

if TYPE_CHECKING:
    import numpy as np

    from svertka.data.sources.source import Source
    from svertka.data.splitting.near_duplicates import Copies
    from svertka.data.store.store import Store
    from svertka.kinds.base import Preprocess

NAMED = 5  # pictures that a sentence names, at most


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Files, their pixels, and which of them learn and which judge; row i of each is file i."""

    source: Source
    store: Store
    manifest: Manifest

    def count(self, part: Part) -> int:
        """Readable pictures of one part: "train", "validation" or "test"."""
        return len(self.manifest.indices(part))

    def labels(self, part: Part) -> np.ndarray:
        """Their classes, (n,)."""
        labels: np.ndarray = self.manifest.labels[self.manifest.indices(part)]
        return labels

    def unreadable(self) -> list[Unreadable]:
        """The listed files that could not be decoded."""
        return [Unreadable(self.source.paths[i], reason) for i, reason in sorted(self.store.reasons.items())]

    def with_names(self, fact: str, pictures: Sequence[int]) -> str:
        """A sentence, and after it another that names some pictures, where there are any."""
        if not pictures:
            return fact
        names = ", ".join(self.source.paths[i] for i in pictures[:NAMED])
        more = f" and {len(pictures) - NAMED:,} more" if len(pictures) > NAMED else ""
        return message("computed-from", "{fact} It was computed from {files}.", fact=fact, files=names + more)


def decode(source: Source, preprocess: Preprocess, watch: Watch = silent) -> Store:
    """All files of a source as pixels: from the cache, or decoded now."""
    return finish(begin_store(source, preprocess), watch)


def finish(reading: StoreJob, watch: Watch = silent) -> Store:
    """The store of decoding that was begun before."""
    return reading.finish(lambda done, total: watch(FilesDecoded(done, total)))


def divide(
    source: Source, store: Store, *, seed: int = 0, share: float | None = None,
    copies: Copies | None = None, earlier: Manifest | None = None,
) -> Dataset:  # fmt: skip
    """Say which pictures learn and which judge; copies are never parted.

    Args:
        source, store: the files, and their pixels.
        seed, share, earlier: as `make_manifest` takes them.
        copies: what `find_copies` found, where that is known already.

    Raises:
        DataError: a class has no readable training picture, or nothing is left to validate on.
    """
    group = (find_copies(store, source.labels) if copies is None else copies).group
    return Dataset(source, store, make_manifest(source, store, seed, share, copies=group, earlier=earlier))

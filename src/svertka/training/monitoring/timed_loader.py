"""A loader whose reader is timed: how long it waits for batches, and how long it works on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svertka.data.loading.loader import Batch, Loader


class Timed:
    """The same loader to whoever reads it.

    Two looks at the clock a batch, and none at the device: on a GPU, work that is still under way when the reader asks
    for the next batch counts where the reader waits for its result.

    Attributes:
        waited: seconds in which the reader had no batch.
        used: seconds that it took over its batches.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self.waited = self.used = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        """Batches in one pass."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        return self._timed(iter(self._loader))

    def epoch(self, *which: Any, **how: Any) -> Iterator[Batch]:
        """The batches of one pass, as the loader itself gives them."""
        return self._timed(self._loader.epoch(*which, **how))

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        since = time.perf_counter()
        for batch in batches:
            given = time.perf_counter()
            self.waited += given - since
            yield batch
            since = time.perf_counter()
            self.used += since - given
        self.waited += time.perf_counter() - since

    @property
    def share(self) -> float:
        """Of the time, the share in which the reader waited."""
        return self.waited / max(1e-9, self.waited + self.used)

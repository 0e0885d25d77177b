"""The findings about the data as a run folder keeps them, and the pictures that a page shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from svertka.common.atomic_write import write_npz
from svertka.errors import TrainingError
from svertka.runs import layout
from svertka.runs.run_folder import Run

if TYPE_CHECKING:
    from svertka.audit import Audit
    from svertka.data import Source, Store

SIDE = 128  # of pictures on the page: at least this, where the store has as much


def save_findings(run: Run, found: Audit, source: Source, store: Store) -> None:
    """Keep the findings in a run folder, with the pictures that its report shows.

    Raises:
        TrainingError: the folder cannot be written.
    """
    findings = found.to_dict()
    run.write(layout.CHECK, findings)
    pixels = shown_pixels(findings, source, store)
    if pixels:
        try:
            arrays = {"paths": np.array(list(pixels)), "pixels": np.stack(list(pixels.values()))}
            write_npz(run.path / layout.CHECK_PICTURES, arrays)
        except OSError as why:
            raise TrainingError(f"{run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def shown_pixels(findings: dict[str, Any], source: Source, store: Store) -> dict[str, np.ndarray]:
    """The pictures that a page shows, by their paths, thinned to a side of at most 2 * SIDE."""
    from svertka.reporting.pages.check import shown_paths

    shown = set(shown_paths(findings))
    places = {path: i for i, path in enumerate(source.paths) if path in shown} if shown else {}
    return {path: store.kind.thin(np.asarray(store.pixels[i]), 2 * SIDE) for path, i in places.items()}

"""`check`: what is wrong with the data, before it costs you."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka import data as rooms
from svertka.analysis.audit_report import shown_pixels
from svertka.data.prepare import finish
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Where
from svertka.records import Watch, silent
from svertka.training.recipe import Recipe

if TYPE_CHECKING:
    from svertka.audit import Audit


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` returns: the findings, and the pictures themselves for whoever wants to look."""

    audit: Audit
    source: rooms.Source
    store: rooms.Store
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {**self.audit.to_dict(), "seconds": round(self.seconds, 3)}


def check(data: Where, *, group_by: str | None = None, watch: Watch = silent) -> Checked:
    """Look for what is wrong with labeled pictures: unreadable files, copies, leaks, odd pictures, shortcuts.

    Every file is decoded as `train` would, into the same store, so that a training afterwards starts at once.

    Args:
        data: what `train` takes.
        group_by: a column or a pattern on the path, as for `train`; groups that the given parts have parted are told.
        watch: called with `FilesDecoded` as files are decoded.

    Raises:
        DataError: there is nothing to check.
    """
    begun = time.perf_counter()
    source = rooms.open_source(data, least_classes=1, group_by=group_by)
    *_, preprocess = first_choices(source, Recipe())
    with rooms.begin_store(source, preprocess) as reading:
        from svertka.audit import audit  # beside the decoding

        store = finish(reading, watch)
    return Checked(audit(source, store), source, store, time.perf_counter() - begun)


def write_page(checked: Checked, out: str | Path) -> Path:
    """Write the findings with their pictures as one HTML file, and return its place.

    Raises:
        RunError: the file cannot be written, or is there and no page of svertka.
    """
    from svertka.reporting.pages.check import page
    from svertka.reporting.templates import replace_page

    found = checked.to_dict()
    replace_page(Path(out), page(found, shown_pixels(found, checked.source, checked.store), checked.source.name))
    return Path(out)

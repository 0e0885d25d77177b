"""A first look: what the headers of some pictures say, before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from svertka.errors import ReadError
from svertka.kinds.image.decoder import header


@dataclass(frozen=True)
class Survey:
    """What the headers of a sample say.

    Attributes:
        n: pictures whose header could be read.
        color: whether any of them is not gray.
        heights, widths: int32 (n,), upright, in pixels.
        formats: how many there are of each format ("JPEG", "PNG", ...).
    """

    n: int
    color: bool
    heights: np.ndarray
    widths: np.ndarray
    formats: dict[str, int]

    @property
    def side(self) -> int:
        """The median of the pictures' shorter sides in pixels; 1 where none could be read."""
        return int(np.median(np.minimum(self.heights, self.widths))) if self.n else 1

    @property
    def aspect(self) -> float:
        """The median ratio of the longer side to the shorter; 1 where none could be read."""
        if not self.n:
            return 1.0
        longer, shorter = np.maximum(self.heights, self.widths), np.minimum(self.heights, self.widths)
        return float(np.median(longer / np.maximum(1, shorter)))


def survey(files: Iterable[tuple[str, bytes]]) -> Survey:
    """Read the headers of files, (path, bytes) each; unreadable ones are passed over."""
    found = []
    for path, data in files:
        try:
            found.append(header(data, path))
        except ReadError:  # the store lists it with its reason; a survey only looks around
            continue
    formats: dict[str, int] = {}
    for one in found:
        formats[one.format] = formats.get(one.format, 0) + 1
    return Survey(
        n=len(found),
        color=any(not one.gray for one in found),
        heights=np.array([one.height for one in found], np.int32),
        widths=np.array([one.width for one in found], np.int32),
        formats=dict(sorted(formats.items(), key=lambda item: (-item[1], item[0]))),
    )

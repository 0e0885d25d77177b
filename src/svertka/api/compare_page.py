"""The page of `compare`, with the pictures that changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from svertka.api.compare import Compared
from svertka.errors import ReadError, SvertkaError
from svertka.kinds.image.reader import read
from svertka.reporting.i18n.translate import speaking
from svertka.reporting.pages.compare import SHOWN, page
from svertka.reporting.templates import replace_page
from svertka.runs.files import read_recipe
from svertka.runs.reopen import open_data, prepared


def write_page(found: Compared, out: Path, lang: str = "en") -> Path:
    """Write the comparison as one HTML file; a page of ours that is there is replaced, no other file is.

    Raises:
        RunError: the page cannot be written.
        UnknownName: there is no such language.
    """
    told = found.to_dict()
    with speaking(lang):
        replace_page(out, page(told, _pictures(found, Path(told["runs"][0]["run"]))))
    return out


def _pictures(found: Compared, run: Path) -> dict[str, np.ndarray]:
    """Pixels by digest of the pictures that changed, as far as the run's data are still where they were."""
    wanted = {row["path"]: row["digest"] for pair in found.pairs for row in pair.changed[:SHOWN]}
    try:
        recipe = read_recipe(run)
        source, how = open_data(run, recipe), prepared(run, recipe)
    except SvertkaError:
        return {}  # the page says that pictures are shown where they are still there
    pixels = {}
    for i, path in enumerate(source.paths):
        if path in wanted:
            try:
                data = source.read(i)
                if hashlib.blake2b(data, digest_size=16).hexdigest() == wanted[path]:
                    pixels[wanted[path]] = read(data, how, path)
            except ReadError:
                continue
    return pixels

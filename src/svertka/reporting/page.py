"""What all pages of ours share: the mark by which they are known, their templates, and how they come into place."""

from __future__ import annotations

import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svertka.errors import RunError
from svertka.reporting import words
from svertka.reporting.speech import decimal, number, say_markup, told

MARK = '<meta name="generator" content="svertka">'  # by which a page of ours is known, and may be replaced


def environment() -> Environment:
    """The templates of this folder; whatever is put into them is escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "decimal": decimal,
        "duration": words.duration,
        "size": words.size,
        "shorten": words.shorten,
        "told": told,
    }
    made.globals |= {"say": say_markup}
    return made


def place_of(folder: Path, out: Path | None) -> Path:
    """Where the page of a folder goes: `out`, where it is named (a folder receives a report.html), or into itself."""
    place = out if out is not None else folder
    return place / "report.html" if place.is_dir() or out is None else place


def replace_page(page: Path, html: str) -> None:
    """The old report, or no file, becomes the new one at once; a killed process leaves the old one."""
    # a path that is no text on this system holds lone surrogates, which UTF-8 has no bytes for
    data = html.encode("utf-8", errors="backslashreplace")
    try:
        if page.exists() and MARK.encode() not in page.read_bytes()[:4096]:
            raise RunError(f"{page} exists and is no report of svertka; it stays as it is, so name another file.")
        draft = page.with_name(f".{page.name}.{os.getpid()}")
        try:
            draft.write_bytes(data)
            draft.replace(page)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as why:
        raise RunError(f"{page} cannot be written: {why.strerror or why}.") from why

"""run folder -> report.html: what was learned, how well, where it fails, and how to get it again.

The page is one file: style, charts and pictures are inside, there is no script, and its own security policy
forbids every request. Whatever comes from the user's data (class names, paths, reasons) is escaped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svertka.errors import RunError
from svertka.reporting import charts, colours, results, sections, words
from svertka.reporting.folder import RunFolder, read_run

MARK = '<meta name="generator" content="svertka">'  # by which a page of ours is known, and may be replaced


def write_report(run: Path, out: Path | None = None) -> Path:
    """Make the report of the run folder `run`, from it alone; returns its place, `out` or report.html in it.

    A folder as `out` receives a report.html. A report that is there is replaced; no other file is.

    Raises:
        RunError: the run is missing or damaged, or the page cannot be written.
    """
    run = Path(run)
    page = Path(out) if out is not None else run / "report.html"
    if page.is_dir():
        page = page / "report.html"
    html = render(read_run(run))
    _replace(page, html)
    return page


def render(run: RunFolder) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "duration": words.duration,
        "size": words.size,
        "shorten": words.shorten,
    }
    return environment.get_template("template.html").render(mark=MARK, colours=colours, charts=charts, **_contents(run))


def _contents(run: RunFolder) -> dict[str, Any]:
    main = run.scored.get("test") or run.scored.get("validation")
    looked_at = run.scored.get("validation") or run.scored.get("test")  # the test part is for one number only
    return {
        "title": sections.title(run),
        "head": results.headline(run, main, looked_at),
        "cautions": results.cautions(run, main),
        "data": sections.data(run),
        "preparation": sections.preparation(run),
        "network": sections.network(run),
        "recipe": sections.recipe(run),
        "ladder": sections.ladder(run),
        "learning": sections.learning(run),
        "classes": results.classes(looked_at),
        "confusion": results.confusion(looked_at),
        "mistakes": results.mistakes(run),
        "scores": results.scores(run),
        "time": sections.time(run),
        "again": sections.again(run),
    }


def _replace(page: Path, html: str) -> None:
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

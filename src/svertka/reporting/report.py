"""run folder -> report.html: what was learned, how well, where it fails, and how to get it again.

The page is one file: style, charts and pictures are inside, there is no script, and its own security policy
forbids every request. Whatever comes from the user's data (class names, paths, reasons) is escaped.
"""

from __future__ import annotations

from pathlib import Path

from svertka.reporting import summary
from svertka.reporting.i18n.translate import speaking
from svertka.reporting.registry import CONTENTS
from svertka.reporting.templates import place_of, render, replace_page
from svertka.runs.results import Results, read_results


def write_report(run: Path | Results, out: Path | None = None, lang: str = "en") -> Path:
    """Make the report of a run folder, from it alone; returns its place, `out` or report.html in it.

    A folder as `out` receives a report.html. A report that is there is replaced; no other file is. `lang` is one of
    `speech.LANGUAGES`.

    Raises:
        RunError: the run is missing or damaged, or the page cannot be written.
        UnknownName: there is no such language.
    """
    folder = run.path if isinstance(run, Results) else Path(run)
    page = place_of(folder, Path(out) if out is not None else None)
    with speaking(lang):
        html = page_of(run if isinstance(run, Results) else read_results(folder))
    replace_page(page, html)
    return page


def page_of(run: Results) -> str:
    """The page as text, in the language of the surrounding `speaking` block."""
    sections = [(section, section.make(run)) for section in CONTENTS]
    made = [(section, it) for section, it in sections if it is not None]
    return render("report", **summary.head(run), sections=made)

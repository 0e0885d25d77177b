"""run folder -> report.html: what was learned, how well, where it fails, and how to get it again.

The page is one file: style, charts and pictures are inside, there is no script, and its own security policy
forbids every request. Whatever comes from the user's data (class names, paths, reasons) is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svertka.reporting import charts, check, colours, results, sections
from svertka.reporting.folder import RunFolder, read_run
from svertka.reporting.page import MARK, environment, replace_page


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
    replace_page(page, html)
    return page


def render(run: RunFolder) -> str:
    """The page as text."""
    template = environment().get_template("template.html")
    return template.render(mark=MARK, colours=colours, charts=charts, **_contents(run))


def _contents(run: RunFolder) -> dict[str, Any]:
    main = run.scored.get("test") or run.scored.get("validation")
    looked_at = run.scored.get("validation") or run.scored.get("test")  # the test part is for one number only
    return {
        "title": sections.title(run),
        "head": results.headline(run, main, looked_at),
        "cautions": results.cautions(run, main),
        "data": sections.data(run),
        "check": None if run.check is None else check.section(run.check, run.checked),
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

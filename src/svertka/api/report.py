"""`report`: the page of a run, made again from its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from svertka.analysis.training_report import MOST, lacks_looks, lacks_probes, laid_out, probed, with_looks
from svertka.common.time_budget import Budget
from svertka.errors import UsageError
from svertka.kinds import require
from svertka.reporting import write_report
from svertka.reporting.i18n.translate import speaking
from svertka.reporting.pages.repeat import write_page as write_repeats
from svertka.runs import layout
from svertka.runs.files import read_optional
from svertka.runs.records import RepeatsFile
from svertka.runs.results import read_results

FULL = 2.0  # minutes that `--full` may take
INSIDE, DRAWN = 0.5, 0.95  # shares of what is left for looking at the network, and then for its pictures


def report(
    run: str | Path, *, out: str | Path | None = None, lang: str = "en", full: bool = False, minutes: float = FULL,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:  # fmt: skip
    """Write report.html of a run folder (or `out`) in English ("en") or Russian ("ru"), and return its path.

    Args:
        run: the folder, also one of repeated trainings.
        out: a file, or a folder for a report.html.
        lang: the language of the page.
        full: look longer: slow explanations, whether the explanations are true, changed pictures, baselines.
        minutes: that a full report may take; what does not fit is left out, and the page says what.
        progress: told what is looked at next, in a few words.

    Raises:
        RunError: the folder is not a run, or a file of it is damaged.
        UnknownName: there is no such language.
        UsageError: the minutes are not above zero.
    """
    if not minutes > 0:
        raise UsageError(f"A full report takes more than 0 minutes; received {minutes:g}.")
    budget = Budget(60 * minutes if full else MOST)
    with speaking(lang):
        if (repeats := read_optional(Path(run) / layout.REPEATS, RepeatsFile)) is not None:
            return _of_repeats(Path(run), repeats, Path(out) if out is not None else None, full=full)
        found = read_results(Path(run))
        if full:
            require(found.model.preprocess.kind, "report --full")
        if full or found.layers is None or lacks_looks(found):
            looking = budget.part(INSIDE).left() if full else MOST
            found = with_looks(found, seconds=looking, full=full, progress=progress)
        found = laid_out(found, seconds=MOST)
        if full and lacks_probes(found):
            progress("how far pictures may change, and what simpler answers reach")
            found = probed(found, DRAWN * budget.left())
    return write_report(found, Path(out) if out is not None else None, lang)


def _of_repeats(parent: Path, found: RepeatsFile, out: Path | None, *, full: bool) -> Path:
    if full:
        raise UsageError(f"{parent} holds repeated trainings: a full report is that of one of them.")
    return write_repeats(parent, found, out)

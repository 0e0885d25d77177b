"""`report`: the page of a run, made again from its folder."""

from __future__ import annotations

from pathlib import Path

from svertka.reporting import write_report


def report(run: str | Path, *, out: str | Path | None = None, lang: str = "en") -> Path:
    """Write report.html of a run folder (or `out`) in English ("en") or Russian ("ru"), and return its path.

    Raises:
        RunError: the folder is not a run, or a file of it is damaged.
        UnknownName: there is no such language.
    """
    return write_report(Path(run), Path(out) if out is not None else None, lang)

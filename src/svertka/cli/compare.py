"""`svertka compare` and `svertka train --repeat`: runs against each other, and one recipe again and again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svertka.cli.options import Json, plain, print_json, rich_console, say
from svertka.errors import UsageError

if TYPE_CHECKING:
    from svertka.api.compare import Compared

CLASSES = 8  # that are listed, those that changed most


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN", help="Run folders, two or more.")],
    part: Annotated[str | None, typer.Option(help="test or validation; test where all runs have it.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the pictures that changed to this file.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the page: en or ru.")] = "en",
    as_json: Json = False,
) -> None:
    """Hold runs against each other on the same pictures."""
    from svertka.api.compare import compare as run
    from svertka.api.compare_page import write_page

    found = run(runs, part=part)
    if html is not None:
        write_page(found, html, lang)
    if as_json:
        print_json(found.to_dict())
    else:
        print_compared(found, html)


def print_compared(found: Compared, page: Path | None) -> None:
    """Each run with its accuracy, then each pair as a sentence and the classes that changed most."""
    from rich.table import Table

    console = rich_console()
    left = f"; {found.left_out:,} others are not in all of them, or were learned from" if found.left_out else ""
    console.print(f"{found.n:,} {found.part} pictures that all runs share{left}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, a in found.accuracy.items():
        table.add_row(plain(name), f"{a.value:.2%}", f"[dim]{a.low:.2%} to {a.high:.2%}[/]")
    console.print(table)
    for pair in found.pairs:
        console.print(pair.sentence(), markup=False)
        moved = sorted(pair.classes.items(), key=lambda item: -abs(item[1].value))
        for name, d in moved[:CLASSES]:
            if d.gained or d.lost:
                proven = "" if d.proven else ", may be chance"
                console.print(f"  {name}: +{d.gained} -{d.lost} of {d.n:,}{proven}", markup=False)
    if page is not None:
        console.print(f"page    {page}", markup=False)


def train_repeatedly(
    data: list[str] | None, times: int | None, folds: int | None, resume: Path | None, *, as_json: bool, quiet: bool,
    **settings: Any,
) -> None:  # fmt: skip
    """Train several times; print mean, spread and interval. Exit status 130 where that was stopped."""
    if resume is not None:
        raise UsageError("--resume goes on with one run; it does not take --repeat or --folds.")
    from svertka.api.repeat import repeat as run
    from svertka.cli.progress import watching

    with watching(quiet=quiet) as watch:
        done = run(data or [], times, folds=folds, watch=watch, **settings)
    if as_json:
        print_json(done.summary)
    else:
        print(done.summary["sentence"])
        if done.summary["test"] is not None:
            test = done.summary["test"]
            print(f"Test pictures: {test['accuracy']:.2%} on average ({test['low']:.2%} to {test['high']:.2%}).")
        print(f"runs    {done.path}\nreport  {done.path / 'report.html'}")
    if done.stopped:
        say(f"Stopped as asked, after {len(done.runs)} trainings that were finished.")
        sys.exit(130)

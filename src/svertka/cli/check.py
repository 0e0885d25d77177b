"""The findings of `check` as a person reads them in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from svertka.cli.options import plain, rich_console

if TYPE_CHECKING:
    from svertka.api.check import Checked

FEW = 20  # classes that are listed one by one


def print_checked(found: Checked, page: Path | None) -> None:
    """How many of what, then each finding as a sentence."""
    from rich.table import Table

    result = found.to_dict()
    console = rich_console()
    classes = result["classes"]
    of = f" of {result['files']:,}" if result["readable"] < result["files"] else ""
    console.print(
        f"[bold]{result['readable']:,}{of} pictures[/] in {len(classes):,} classes  [dim]{result['seconds']:.1f} s[/]"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("class", overflow="fold")
    table.add_column("pictures", justify="right")
    for name in sorted(classes, key=lambda c: -classes[c])[:FEW]:
        table.add_row(plain(name), f"{classes[name]:,}")
    if len(classes) > FEW:
        table.add_row(f"[dim]and {len(classes) - FEW:,} more[/]", "")
    console.print(table)
    counts = {
        "files that cannot be read": result["unreadable"],
        "families of identical files": result["duplicates"],
        "families of nearly the same picture": result["near_duplicates"],
        "leaks between parts": result["leaks"],
        "groups in several parts": result["parted_groups"],
        "copies under several labels": result["disagreements"],
        "odd pictures": result["oddities"],
        "shortcuts": result["shortcuts"],
    }
    summary = Table(box=None, pad_edge=False, show_header=False)
    summary.add_column()
    summary.add_column(justify="right")
    for what, things in counts.items():
        summary.add_row(what, f"[yellow]{len(things):,}[/]" if things else "[dim]none[/]")
    console.print(summary)
    for sentence in result["warnings"]:
        console.print(f"- {sentence}", markup=False)
    if not result["warnings"]:
        console.print("Nothing was found that would mislead a network or its scores.")
    if page is not None:
        console.print(f"page    {page}", markup=False)

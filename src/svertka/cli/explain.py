"""What `explain` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from svertka.api.explain import Explained
from svertka.cli.options import plain, rich_console
from svertka.records import Unreadable


def explained_json(answers: Sequence[Explained | Unreadable]) -> dict[str, Any]:
    """The surface of `explain --json`."""
    rows = [{"path": a.path, "error": a.reason} if isinstance(a, Unreadable) else a.to_dict() for a in answers]
    return {"explanations": rows}


def print_explained(answers: Sequence[Explained | Unreadable]) -> None:
    """A line a picture, and a line a method where they were tested."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for a in answers:
        if isinstance(a, Unreadable):
            table.add_row(plain(a.path), "", "", plain(f"cannot be read: {a.reason}"))
            continue
        table.add_row(plain(a.path), f"{a.heats[0].score:.1%}", plain(a.label), plain(str(a.drawn or "")))
        for heat, check in zip(a.heats, a.checks, strict=False):
            verdict = "hardly depends on the weights" if check["blind"] else f"{check['similarity']:.2f} when shuffled"
            areas = f"deletion {check['deletion']:.3f}, insertion {check['insertion']:.3f}, {verdict}"
            table.add_row("", "", "", plain(f"{heat.method}: {areas}"))
    rich_console().print(table)

"""What commands share: options that mean the same everywhere, and how JSON and sentences leave."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 400  # characters of a line that nobody reads on a terminal
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, everything else on stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the result.")]
DATA = "Folders, archives, tables, shards, addresses, or `digits`."
Data = Annotated[list[str], typer.Argument(help=DATA)]
GroupBy = Annotated[str | None, typer.Option(help="Column, or pattern on the path; same value, same side of a split.")]
CacheLimit = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="What the cache may hold, such as 20GB; half of the free disk if not given."),
]
ModelArg = Annotated[str, typer.Argument(metavar="MODEL", help="Run folder of `svertka train`, or its model/.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any field of the recipe.")]
Net = Annotated[str | None, typer.Option(help="Network: a name (`svertka nets`) or a line of notation.")]
Size = Annotated[int | None, typer.Option(help="Side of the network's square input in pixels.")]
Seed = Annotated[int | None, typer.Option(help="Seed of split, weights, order and augmentation.")]


def print_json(content: dict[str, Any]) -> None:
    """One object on stdout, as strict JSON: no NaN, letters of every language as they are where stdout has them."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # another encoding, or a name that is no text on this system
        text = json.dumps(content, allow_nan=False)
    print(text)


def say(sentence: str) -> None:
    """A sentence for a person, on stderr."""
    print(sentence, file=sys.stderr)


def say_left_out(files: Sequence[str]) -> None:
    """What is passed over in the folders among some files, a sentence each."""
    from svertka.data.folders.unlabeled_files import files_and_left_out, left_out_in_words

    for folder in filter(Path.is_dir, map(Path, files)):
        if sentence := left_out_in_words(files_and_left_out(folder)[1]):
            say(f"{folder}: {sentence}")


def rich_console(*, stderr: bool = False) -> Console:
    """Where tables are printed: as wide as the terminal; into a pipe or a file, so wide that no path is broken."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


def plain(text: str) -> str:
    """Words that stand as they are, where rich would read brackets as its markup."""
    from rich.markup import escape

    return escape(text)

"""`svertka preview` and `svertka tune`: augmentation, looked at and measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from svertka.evaluation.paired import Gain
    from svertka.verbs.tune import Tuned

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, everything else on stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the result.")]
Data = Annotated[list[str], typer.Argument(help="Folders, archives, tables, shards, addresses, or `digits`.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any field of the recipe.")]
Size = Annotated[int | None, typer.Option(help="Side of the network's square input in pixels.")]
Seed = Annotated[int | None, typer.Option(help="Seed of split, weights, order and augmentation.")]


def preview(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="PNG file to write; NAME-preview.png if not given.")] = None,
    pictures: Annotated[int, typer.Option(help="How many pictures to show, 1 to 64.")] = 8,
    size: Size = None,
    seed: Seed = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Draw what augmentation does to pictures, original beside varied."""
    from svertka.training.recipe import parse_setting
    from svertka.verbs.preview import preview as draw

    asked = {"size": size, "seed": seed, **dict(map(parse_setting, settings or []))}
    found = draw(data, out=out, pictures=pictures, **{k: v for k, v in asked.items() if v is not None})
    print(json.dumps(found.to_dict(), ensure_ascii=False) if as_json else found.path)


def tune(
    data: Data,
    minutes: Annotated[float, typer.Option(help="About how long it may take.")] = 10.0,
    seeds: Annotated[int, typer.Option(help="Trainings of each kind; more tell smaller gains from noise.")] = 4,
    only: Annotated[
        list[str] | None, typer.Option("--try", metavar="NAME", help="Try this one; may be repeated.")
    ] = None,
    net: Annotated[str | None, typer.Option(help="Network: a name (`svertka nets`) or a line of notation.")] = None,
    size: Size = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pictures, in each training.")] = None,
    seed: Seed = None,
    settings: Settings = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try augmentations one at a time, and keep those that help on these pictures."""
    from svertka.cli.progress import watching
    from svertka.training.recipe import parse_setting

    asked = {"net": net, "size": size, "epochs": epochs, "seed": seed, **dict(map(parse_setting, settings or []))}
    with watching(quiet=quiet) as watch:
        from svertka.verbs.tune import tune as measure

        asked = {k: v for k, v in asked.items() if v is not None}
        found = measure(data, minutes=minutes, seeds=seeds, only=only or (), watch=watch, **asked)
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        print_tuned(found)


def print_tuned(found: Tuned) -> None:
    """What each augmentation gave, with its interval, and how to train with those that were kept."""
    from rich.console import Console
    from rich.table import Table

    console, chosen = Console(highlight=False, soft_wrap=True), found.selection
    base, (seeds, n) = chosen.base, chosen.base.shape
    console.print(f"without augmentation {base.mean():.2%} right, mean of {seeds} trainings, on {n:,} pictures")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("augmentation", "gain in points", "95 % interval", ""):
        table.add_column(title, justify="right" if "in" in title else "left")
    for trial in chosen.trials:
        style = "bold" if trial.kept else None
        table.add_row(trial.said, _points(trial.gain.value), _between(trial.gain), trial.verdict, style=style)
    console.print(table)
    if chosen.untried:
        console.print(f"no time for {', '.join(chosen.untried)}; --minutes gives more")
    if chosen.together is not None:
        console.print(
            f"all that was kept, against none, on fresh seeds: {_points(chosen.together.value)} points "
            f"({_between(chosen.together)})"
        )
        if chosen.together.low <= 0:
            console.print("that is within noise, so nothing is recommended")
    console.print(f"svertka train ... {found.set_line}", markup=False)


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _between(gain: Gain) -> str:
    return f"{_points(gain.low)} to {_points(gain.high)}"

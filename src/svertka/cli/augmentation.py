"""`svertka preview` and `svertka tune`: augmentation, looked at and measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from svertka.cli.options import Data, Json, Net, Quiet, Seed, Settings, Size, print_json, rich_console

if TYPE_CHECKING:
    from svertka.api.tune import Tuned
    from svertka.evaluation.paired_test import Gain


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
    from svertka.api.preview import preview as draw
    from svertka.training.recipe import parse_setting

    overrides = {"size": size, "seed": seed, **dict(map(parse_setting, settings or []))}
    found = draw(data, out=out, pictures=pictures, **{k: v for k, v in overrides.items() if v is not None})
    if as_json:
        print_json(found.to_dict())
    else:
        print(found.path)


def tune(
    data: Data,
    minutes: Annotated[float, typer.Option(help="About how long it may take.")] = 10.0,
    seeds: Annotated[int, typer.Option(help="Trainings of each kind; more tell smaller gains from noise.")] = 4,
    only: Annotated[
        list[str] | None, typer.Option("--try", metavar="NAME", help="Try this one; may be repeated.")
    ] = None,
    net: Net = None,
    size: Size = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pictures, in each training.")] = None,
    seed: Seed = None,
    settings: Settings = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try augmentations one at a time; keep those that help."""
    from svertka.cli.progress import watching
    from svertka.training.recipe import parse_setting

    overrides = {"net": net, "size": size, "epochs": epochs, "seed": seed, **dict(map(parse_setting, settings or []))}
    with watching(quiet=quiet) as watch:
        from svertka.api.tune import tune as measure

        overrides = {k: v for k, v in overrides.items() if v is not None}
        found = measure(data, minutes=minutes, seeds=seeds, only=only or (), watch=watch, **overrides)
    if as_json:
        print_json(found.to_dict())
    else:
        print_tuned(found)


def print_tuned(found: Tuned) -> None:
    """What each augmentation gave, with its interval, and how to train with those that were kept."""
    from rich.table import Table

    console, chosen = rich_console(), found.selection
    base, (seeds, n) = chosen.base, chosen.base.shape
    console.print(f"without augmentation {base.mean():.2%} right, mean of {seeds} trainings, on {n:,} pictures")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("augmentation", "gain in points", "95 % interval", ""):
        table.add_column(title, justify="right" if "in" in title else "left")
    for trial in chosen.trials:
        style = "bold" if trial.kept else None
        table.add_row(trial.setting, _points(trial.gain.value), _between(trial.gain), trial.verdict, style=style)
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

"""`svertka table`, `weights` and `nets`: the networks that can be had, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from svertka.cli.options import Json, print_json, rich_console


def table(
    net: Annotated[str, typer.Argument(help="Name of a network, a line of notation in quotes, or a run folder.")],
    shape: Annotated[str | None, typer.Option("--input", metavar="CxHxW", help="Input, such as 3x224x224.")] = None,
    classes: Annotated[int | None, typer.Option(help="Outputs; the published number if not given.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the table as a page to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Show every layer of a network, and what it costs."""
    from svertka.api.table import table as make
    from svertka.cli.results import parse_shape, write_text
    from svertka.summary import render

    found = make(net, shape=parse_shape(shape) if shape else None, classes=classes)
    if html is not None:
        write_text(html, render.html(found))
    if as_json:
        print_json(found.to_dict())
    elif html is not None:
        print(html)
    else:
        rich_console().print(render.rich_table(found))


def weights(
    name: Annotated[
        str | None, typer.Argument(help="Fetch these weights into the cache; without a name, list all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the published weights that can be had, or fetch some."""
    import dataclasses

    from svertka.cli.progress import downloading
    from svertka.cli.results import print_weights
    from svertka.zoo.weights.catalog import catalog, fetch, find

    if name is not None:
        row = find(name)
        with downloading(row.file) as progress:
            path = fetch(row, progress)
        if as_json:
            print_json({**dataclasses.asdict(row), "path": str(path)})
        else:
            print(path)
    elif as_json:
        print_json({"weights": [dataclasses.asdict(row) for row in catalog()]})
    else:
        print_weights(catalog())


def nets(as_json: Json = False) -> None:
    """List the networks that can be had by name."""
    from svertka.cli.results import print_nets
    from svertka.zoo import variants

    rows = variants().values()
    if as_json:
        keys = ("name", "size", "least", "channels", "classes", "dims", "source")
        print_json({"nets": [{k: getattr(row, k) for k in keys} for row in rows]})
    else:
        print_nets(rows)

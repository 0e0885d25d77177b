"""The layer table for people: in the terminal (rich) and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import groupby
from math import sqrt
from typing import TYPE_CHECKING, Any

from svertka.shapes import short
from svertka.summary.records import Layer, Reach, Sheet

if TYPE_CHECKING:
    from rich.console import Group


def rich_table(table: Sheet) -> Group:
    """The table to print with rich: one section for each part of the network, the totals beneath."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, header_style="bold", title=Text(table.net, "bold"), title_justify="left")
    for heading in ("place", "layer"):
        grid.add_column(heading, overflow="fold")
    for heading in ("output", "memory", "weights", "multiply-adds", "sees"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for part, layers in parts(table):
        for layer in layers:
            quiet = not (layer.memory or layer.weights or layer.macs)
            cells = (layer.name, layer.word, *numbers(layer))
            styles = ("dim", "dim" if quiet else "cyan", *("dim" if quiet else "",) * 5)
            grid.add_row(*(Text(cell, style) for cell, style in zip(cells, styles, strict=True)))
        if part != "input":
            grid.add_section()
    lines = [
        Text.assemble(("  " + label.ljust(15), "dim"), (value, "bold"), "  ", (note, "dim"))
        for label, value, note in sums(table)
    ]
    return Group(grid, *lines)


def html(table: Sheet) -> str:
    """The table as one page of HTML; bars show where memory, weights and multiply-adds go."""
    from jinja2 import Environment

    source = files("svertka.summary").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    peak = {key: max(getattr(layer, key) for layer in table.layers) for key in ("memory", "weights", "macs")}
    rows = [
        [{"layer": row, "cells": cells(row, peak), "sees": sees(row.receptive_field)} for row in layers]
        for _, layers in parts(table)
    ]
    return environment.from_string(source).render(table=table, by=by(table.input), rows=rows, sums=sums(table))


def parts(table: Sheet) -> Iterator[tuple[str, list[Layer]]]:
    """The layers by the part of the network that they belong to: stem, stages.0, ..., head."""
    for part, layers in groupby(table.layers, key=_part):
        yield part, list(layers)


def _part(layer: Layer) -> str:
    first, *rest = layer.name.split(".")
    return f"{first}.{rest[0]}" if first == "stages" and rest else first


def sums(table: Sheet) -> list[tuple[str, str, str]]:
    """The totals as (label, value, note)."""
    t = table.totals
    idle = f", {short(t.idle)} of them idle in a forward pass" if t.idle else ""
    return [
        ("parameters", f"{t.parameters:,}", f"{size(t.parameter_bytes)}{idle}"),
        ("multiply-adds", short(t.macs), f"for one input of {by(table.input)}"),
        (
            "memory",
            short(t.memory),
            f"numbers: {size(t.forward_bytes)} forward, {size(t.training_bytes)} in training",
        ),
    ]


def numbers(layer: Layer) -> tuple[str, str, str, str, str]:
    """Output, memory, weights, multiply-adds and receptive field as people write them; nothing is a dot."""
    return (
        by(layer.output),
        short(layer.memory) if layer.memory else "·",
        f"{layer.weights:,}" if layer.weights else "·",
        short(layer.macs) if layer.macs else "·",
        sees(layer.receptive_field),
    )


def cells(layer: Layer, peak: dict[str, int]) -> list[dict[str, Any]]:
    """Memory, weights and multiply-adds with the length of their bars: percent, by the square root."""
    _, memory, weights, macs, _ = numbers(layer)
    values = {"memory": memory, "weights": weights, "macs": macs}
    return [
        {"text": text, "bar": round(90 * sqrt(getattr(layer, key) / max(peak[key], 1)), 1)}
        for key, text in values.items()
    ]


def sees(reach: Reach) -> str:
    """A receptive field, 11 or 7x3; a dash where it is not known."""
    return "–" if reach is None else by(reach) if isinstance(reach, tuple) else str(reach)


def by(shape: tuple[int, ...]) -> str:
    """(64, 28, 28) -> 64x28x28."""
    return "x".join(map(str, shape))


def size(count: int) -> str:
    """Bytes in units of 1024: 58.1 MiB."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1000:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}"

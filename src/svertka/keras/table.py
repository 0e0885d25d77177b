"""The table that Keras' `summary` prints: layers, what comes out of them, how many numbers they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svertka.keras.models import Model

WIDTHS = (29, 26, 10)
LINE = sum(WIDTHS)


def table(model: Model) -> str:
    """The table as text."""
    return "\n".join(_lines(model))


def _lines(model: Model) -> Iterator[str]:
    yield f'Model: "{model.name}"'
    yield "_" * LINE
    yield _row("Layer (type)", "Output Shape", "Param #")
    yield "=" * LINE
    total = learned = 0
    for number, layer in enumerate(model.layers):
        if number:
            yield "_" * LINE
        held, taught = layer.counts()
        total, learned = total + held, learned + taught
        yield _row(f"{layer.name} ({type(layer).__name__})", str(layer.output_shape), str(held))
    yield "=" * LINE
    yield f"Total params: {total:,}"
    yield f"Trainable params: {learned:,}"
    yield f"Non-trainable params: {total - learned:,}"
    yield "_" * LINE


def _row(*cells: str) -> str:
    """Cells cut to their column, as Keras does."""
    return "".join(cell[: width - 1].ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()

"""The table that Keras' `summary` prints: layers, what comes out of them, how many numbers they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from svertka.keras.layers import Layer

WIDTHS = (29, 26, 10)
LINE = sum(WIDTHS)


def table(name: str, layers: Sequence[Layer]) -> str:
    """The table as text."""
    return "\n".join(_lines(name, layers))


def _lines(name: str, layers: Sequence[Layer]) -> Iterator[str]:
    yield f'Model: "{name}"'
    yield "_" * LINE
    yield _row("Layer (type)", "Output Shape", "Param #")
    yield "=" * LINE
    total = learned = 0
    for number, layer in enumerate(layers):
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

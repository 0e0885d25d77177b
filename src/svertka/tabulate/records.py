"""The layer table as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

Reach = int | tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One row: a layer that ran, in the order in which it ran, for one picture.

    name              its place in the module, `stages.2.0`
    type              its class, or the operations that ran outside any layer of their own
    word              the same in the words of the notation, `conv3-64`
    output            the shape that leaves it, without the batch
    memory            numbers that the output takes; none for a view, and none for a function of each number
                      alone (an activation), because it can work in place: so the lectures count
    weights, biases   numbers that it learns and no row above did
    macs              multiply-adds of convolutions and matrix products
    receptive_field   side of the part of the input that one number sees, padding included; one side for each
                      axis where they differ; the whole side behind a layer that mixes all places; None where
                      not known
    """

    name: str
    type: str
    word: str
    output: tuple[int, ...]
    memory: int
    weights: int
    biases: int
    macs: int
    receptive_field: Reach


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums, and what they mean in bytes for one picture.

    parameters        all numbers that the network learns, biases too
    idle              those of them that took no part in a forward pass (auxiliary heads)
    memory, macs      sums over the layers
    parameter_bytes   of the parameters as they are stored
    forward_bytes     of `memory`
    training_bytes    twice that: going back, every number has a gradient beside it
    """

    parameters: int
    idle: int
    memory: int
    macs: int
    parameter_bytes: int
    forward_bytes: int
    training_bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """All layers of a network for an input of one shape; the first row is the input itself."""

    net: str
    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    totals: Totals

    def to_rich(self) -> Group:
        """To print with rich."""
        from svertka.tabulate.show import rich_table

        return rich_table(self)

    def to_html(self) -> str:
        """As one page of HTML that needs nothing else."""
        from svertka.tabulate.show import html

        return html(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: {"net", "input", "layers": [...], "totals": {...}}, shapes as lists."""
        return {
            "net": self.net,
            "input": list(self.input),
            "layers": [
                {
                    **asdict(layer),
                    "output": list(layer.output),
                    "receptive_field": _plain(layer.receptive_field),
                }
                for layer in self.layers
            ],
            "totals": asdict(self.totals),
        }


def _plain(reach: Reach) -> int | list[int] | None:
    return list(reach) if isinstance(reach, tuple) else reach

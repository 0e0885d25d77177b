"""The layer table as plain data."""

from __future__ import annotations

from dataclasses import dataclass

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
class Sheet:
    """All layers of a network for an input of one shape; the first row is the input itself."""

    net: str
    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    totals: Totals

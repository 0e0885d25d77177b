"""A ready piece of a network of the zoo as a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from svertka.keras.layers import Layer, Shape
from svertka.models.structure import outline, rebuild


@dataclass(eq=False)
class Part(Layer):
    """A ready piece of a network as a layer."""

    module: nn.Module
    activation: str | None = None

    def make(self, shape: Shape) -> nn.Module:
        """The piece itself, whatever comes in."""
        return self.module

    def get_config(self) -> dict[str, Any]:
        """The piece, module by module."""
        return {
            "class": "Part", "name": self.name, "trainable": self.trainable, "activation": self.activation,
            "structure": outline(self.module),
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """The piece again, its numbers to be filled."""
        layer = cls(rebuild(config["structure"]), config["activation"], name=config["name"])
        layer.trainable = bool(config["trainable"])
        return layer

"""ResNet as a Keras model: the zoo's network, stem and stages as its layers.

It is ResNet v1.5 without biases before batch norm, as PyTorch's checkpoints want it; Keras has v1 with
those biases, so ResNet50 holds 26,560 numbers fewer here. Weights of ImageNet expect pixels / 255, less
(0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225) for red, green, blue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from svertka.errors import UsageError
from svertka.keras.layers import Layer, Shape
from svertka.keras.models import Model
from svertka.zoo.weights.catalog import load_weights

__all__ = ["ResNet50", "ResNet101", "ResNet152"]


@dataclass(eq=False)
class Part(Layer):
    """A ready piece of a network as a layer."""

    module: nn.Module
    activation: str | None = None

    def make(self, shape: Shape) -> nn.Module:
        """The piece itself, whatever comes in."""
        return self.module


def _resnet(
    network: str,
    include_top: bool,
    weights: str | Path | None,
    input_shape: tuple[int, int, int] | None,
    classes: int,
) -> Model:
    if input_shape is not None and len(input_shape) != 3:
        raise UsageError(f"input_shape is (height, width, channels), such as (224, 224, 3); received {input_shape}.")
    input_shape = input_shape or ((224, 224, 3) if include_top else None)
    channels = input_shape[2] if input_shape else 3
    net = load_weights(network, weights, classes=classes, channels=channels, drop_head=not include_top)
    parts = [Part(net.stem, name="stem", input_shape=input_shape)]
    parts += [Part(stage, name=f"stage{number}") for number, stage in enumerate(net.stages, start=1)]
    if include_top:
        parts += [Part(nn.Sequential(net.pool, nn.Flatten()), name="avg_pool")]
        parts += [Part(net.head, name="predictions", activation="softmax")]
    return Model(parts, name=network)


def ResNet50(
    include_top: bool = True,
    weights: str | Path | None = "imagenet",
    input_shape: tuple[int, int, int] | None = None,
    classes: int = 1000,
) -> Model:
    """The ResNet of 50 layers (He et al. 2015, arXiv:1512.03385).

    Args:
        include_top: with the last pooling and dense layer; else (None, h / 32, w / 32, 2048) comes out.
        weights: "imagenet", a file, or None for random ones.
        input_shape: (height, width, channels); where None (224, 224, 3), or without the top whatever comes.
        classes: outputs of the last dense layer.

    Raises:
        WeightsError: the weights are not here and cannot be fetched, or are of another network.
    """
    return _resnet("resnet50", include_top, weights, input_shape, classes)


def ResNet101(
    include_top: bool = True,
    weights: str | Path | None = "imagenet",
    input_shape: tuple[int, int, int] | None = None,
    classes: int = 1000,
) -> Model:
    """The ResNet of 101 layers; arguments as of ResNet50."""
    return _resnet("resnet101", include_top, weights, input_shape, classes)


def ResNet152(
    include_top: bool = True,
    weights: str | Path | None = "imagenet",
    input_shape: tuple[int, int, int] | None = None,
    classes: int = 1000,
) -> Model:
    """The ResNet of 152 layers; arguments as of ResNet50."""
    return _resnet("resnet152", include_top, weights, input_shape, classes)

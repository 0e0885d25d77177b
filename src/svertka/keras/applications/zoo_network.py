"""Networks of the zoo as Keras models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

from svertka.errors import UnknownName, UsageError
from svertka.keras.applications.part import Part
from svertka.keras.layers import GlobalAveragePooling2D, GlobalMaxPooling2D, Layer
from svertka.keras.models import Model
from svertka.zoo.weights.catalog import load_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocess_input(x: object) -> np.ndarray:
    """Pixels 0 to 255 (..., 3), red, green, blue, as the weights here want them: float32 of the same shape."""
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    return np.asarray((np.asarray(x, np.float32) / 255 - mean) / std, np.float32)


POOLINGS = {"avg": GlobalAveragePooling2D, "max": GlobalMaxPooling2D}


def application(name: str, size: int = 224) -> Callable[..., Model]:
    """The function that makes a network of the zoo as a Keras model; `size` is the side of its usual pictures."""

    def build(
        include_top: bool = True,
        weights: str | Path | None = "imagenet",
        input_shape: tuple[int, int, int] | None = None,
        classes: int = 1000,
        pooling: str | None = None,
    ) -> Model:
        if input_shape is not None and len(input_shape) != 3:
            raise UsageError(
                f"input_shape is (height, width, channels), such as ({size}, {size}, 3); received {input_shape}."
            )
        if pooling is not None and pooling not in POOLINGS:
            raise UnknownName("pooling", str(pooling), POOLINGS)
        shape = input_shape or ((size, size, 3) if include_top else None)
        channels = shape[2] if shape else 3
        net = load_weights(name, weights, classes=classes, channels=channels, drop_head=not include_top)
        layers: list[Layer] = [Part(net.stem, name="stem", input_shape=shape)]
        layers += [Part(stage, name=f"stage{number}") for number, stage in enumerate(net.stages, start=1)]
        if include_top:
            layers += [Part(nn.Sequential(net.pool, nn.Flatten()), name="avg_pool")]
            layers += [Part(net.head, name="predictions", activation="softmax")]
        elif pooling is not None:
            layers += [POOLINGS[pooling](name=f"{pooling}_pool")]
        return Model(layers, name=name)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""The network {name} of the zoo as a Keras model: stem, stages; with the top its pool and head.

        Args:
            include_top: with the last pooling and dense layer; else its last maps come out.
            weights: "imagenet", a file, or None for random ones.
            input_shape: (height, width, channels); where None ({size}, {size}, 3), or without the top whatever comes.
            classes: outputs of the last dense layer.
            pooling: without the top, "avg" or "max" of the last maps.

        Raises:
            WeightsError: the weights are not here and cannot be fetched, or are of another network.
        """
    return build

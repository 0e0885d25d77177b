"""Transfer learning as Keras' guide teaches it: a frozen MobileNetV2, a dense layer, augmentation layers, Adam.

Keras 3 on TensorFlow. Pictures are read once by tf.data in parallel, cropped to 224 pixels, kept in memory as uint8 and
prefetched; the backbone (alpha 0.35, `include_top=False`, `trainable = False`, called with `training=False`) looks at
every picture in every epoch, as the guide does it. Its weights are the same local file that the others start from.
After each epoch the validation pictures are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from keras_shared import Score, cached, compiled, keras

SIDE = 224


def backbone(weights: Path) -> keras.Model:
    """Keras' own MobileNetV2, filled from LAYER/TENSOR arrays."""
    net = keras.applications.MobileNetV2((SIDE, SIDE, 3), alpha=0.35, include_top=False, weights=None)
    order = {"kernel": 0, "depthwise_kernel": 0, "gamma": 0, "beta": 1, "moving_mean": 2, "moving_variance": 3}
    with np.load(weights) as arrays:
        names = {layer: sorted((k for k in arrays if k.startswith(f"{layer}/")), key=lambda k: order[k.split("/")[1]])
                 for layer in (one.name for one in net.layers)}  # fmt: skip
        for layer in net.layers:
            if layer.weights:
                layer.set_weights([arrays[name] for name in names[layer.name]])
    net.trainable = False
    return net


def classifier(weights: Path, classes: int) -> keras.Model:
    layers = keras.layers
    x = given = keras.Input((SIDE, SIDE, 3))
    x = layers.RandomFlip("horizontal")(x)
    x = layers.RandomRotation(0.1)(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = backbone(weights)(x, training=False)  # (n, 7, 7, 1280)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(given, layers.Dense(classes)(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with train/<class> and val/<class>")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    shape, crop = (SIDE, SIDE, 3), {"crop_to_aspect_ratio": True}
    train, classes = cached(options.folder / "train", shape, 32, shuffled=1000, **crop)
    validation, _ = cached(options.folder / "val", shape, 32, **crop)
    model = compiled(classifier(options.weights, classes))
    model.fit(train, epochs=options.epochs, verbose=0, callbacks=[Score(validation)])


if __name__ == "__main__":
    main()

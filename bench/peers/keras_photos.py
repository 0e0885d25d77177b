"""Photographs from scratch in Keras 3 on TensorFlow, by the two programs that its own pages teach.

- `guide`: "Image classification from scratch" (keras.io/examples/vision): a small network after Xception with residual
  separable convolutions, mirror and turn, batches of 128, Adam at 0.0003, 25 epochs.
- `tutorial`: "Image classification" (tensorflow.org/tutorials/images): three times convolution and pooling, then two
  dense layers with dropout, mirror, turn and zoom, batches of 32, Adam at its default rate, 15 epochs.

Our own writing. Both bring pictures to 180x180 and keep them decoded in memory (the guide decodes them in every epoch,
which takes longer). After each epoch the pictures of val/ are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keras_shared import Score, compiled, keras, tf

layers = keras.layers
SIDE = 180


@dataclass(frozen=True)
class Program:
    """One of the two: its network and how it is taught."""

    net: Callable[[int], keras.Model]
    vary: tuple[Callable[[], layers.Layer], ...]
    batch: int
    rate: float
    epochs: int


def xception(classes: int) -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = shortcut = _norm_relu(layers.Conv2D(128, 3, strides=2, padding="same")(x))  # (n, 90, 90, 128)
    for width in (256, 512, 728):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.SeparableConv2D(width, 3, padding="same")(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = shortcut = layers.add([x, layers.Conv2D(width, 1, strides=2, padding="same")(shortcut)])
    x = _norm_relu(layers.SeparableConv2D(1024, 3, padding="same")(x))  # (n, 12, 12, 1024)
    x = layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(classes)(x))


def _norm_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def three_blocks(classes: int) -> keras.Model:
    blocks = [
        layer
        for width in (16, 32, 64)
        for layer in (layers.Conv2D(width, 3, padding="same", activation="relu"), layers.MaxPooling2D())
    ]  # (n, 22, 22, 64)
    head = [layers.Dropout(0.2), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(classes)]
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 255), *blocks, *head])


FLIP, TURN, ZOOM = (
    lambda: layers.RandomFlip("horizontal"),
    lambda: layers.RandomRotation(0.1),
    lambda: layers.RandomZoom(0.1),
)
PROGRAMS = {
    "guide": Program(xception, (FLIP, TURN), batch=128, rate=3e-4, epochs=25),
    "tutorial": Program(three_blocks, (FLIP, TURN, ZOOM), batch=32, rate=1e-3, epochs=15),
}


def pictures(folder: Path) -> tuple[tf.data.Dataset, int]:
    """Single pictures (180, 180, 3) with labels, decoded once, and the number of classes."""
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIDE, SIDE), batch_size=None, shuffle=False, verbose=False
    )
    return data.cache(), len(data.class_names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and val/<class>")
    parser.add_argument("--program", choices=PROGRAMS, default="guide")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="those of the program, where not given")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    program = PROGRAMS[options.program]

    train, classes = pictures(options.data / "train")
    judging, _ = pictures(options.data / "val")
    vary = keras.Sequential([make() for make in program.vary])
    train = train.shuffle(1000).batch(program.batch)
    train = train.map(lambda x, y: (vary(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    compiled(program.net(classes), program.rate).fit(
        train.prefetch(tf.data.AUTOTUNE),
        epochs=options.epochs or program.epochs,
        verbose=0,
        callbacks=[Score(judging.batch(32).prefetch(tf.data.AUTOTUNE))],
    )


if __name__ == "__main__":
    main()

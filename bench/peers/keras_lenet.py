"""Keras 3 on TensorFlow as its guides teach it: a folder of pictures, cached in memory; LeNet; Adam.

The data set is decoded once by tf.data in parallel, kept in memory as uint8, shuffled over all pictures
each epoch and prefetched; steps are compiled by model.fit. LeNet is the one of lecture 001 (5x5
convolutions, average pooling, dense layers) with ReLU, which learns faster than the original's tanh. After
each epoch the test pictures are scored and one JSON line is printed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import tensorflow as tf
from keras_score import Score


def pictures(folder: Path, batch: int, *, shuffled: bool) -> tf.data.Dataset:
    """Batches of (n, 28, 28, 1) and labels; the second pass and later ones come from memory."""
    data = keras.utils.image_dataset_from_directory(
        folder, color_mode="grayscale", image_size=(28, 28), batch_size=None, shuffle=False, verbose=False
    )
    data = data.map(lambda x, y: (tf.cast(x, tf.uint8), y)).cache()
    if shuffled:
        data = data.shuffle(60_000)
    return data.batch(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def lenet() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 5, padding="same", activation="relu"),  # (n, 28, 28, 6)
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="relu"),  # (n, 10, 10, 16)
            layers.AveragePooling2D(2),
            layers.Flatten(),  # (n, 400)
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    train = pictures(options.data / "train", options.batch, shuffled=True)
    test = pictures(options.data / "test", 500, shuffled=False)
    model = lenet()
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(train, epochs=options.epochs, verbose=0, callbacks=[Score(test)])


if __name__ == "__main__":
    main()

"""What the Keras peers share: pictures of a folder kept in memory, and a JSON line after each epoch.

A data set is decoded once by tf.data in parallel, kept in memory as uint8, shuffled and prefetched; steps are compiled
by model.fit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import tensorflow as tf

import keras

VERSIONS = f"Python {sys.version.split()[0]}, keras {keras.__version__}, tensorflow {tf.__version__}"


class Score(keras.callbacks.Callback):
    """Prints {"epoch", "accuracy", "evaluating": seconds, "versions"}."""

    def __init__(self, judging: tf.data.Dataset) -> None:
        super().__init__()
        self.judging = judging

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        start = time.perf_counter()
        scored = self.model.evaluate(self.judging, verbose=0)[1]
        point = {"epoch": epoch + 1, "accuracy": scored, "evaluating": time.perf_counter() - start}
        print(json.dumps({**point, "versions": VERSIONS}), flush=True)


def cached(
    folder: Path, shape: tuple[int, int, int], batch: int, *, shuffled: int = 0, **how: Any
) -> tuple[tf.data.Dataset, int]:
    """Batches (n, h, w, c) with labels, and the number of classes; the second pass and later ones come from memory.

    Args:
        folder: with one sub-folder a class.
        shape: (h, w, c) of a picture.
        batch: pictures a step.
        shuffled: pictures that are mixed at a time; none where 0.
        how: more of what `image_dataset_from_directory` takes.
    """
    mode = "grayscale" if shape[2] == 1 else "rgb"
    data = keras.utils.image_dataset_from_directory(
        folder, color_mode=mode, image_size=shape[:2], batch_size=None, shuffle=False, verbose=False, **how
    )
    classes = len(data.class_names)
    data = data.map(lambda x, y: (tf.cast(x, tf.uint8), y)).cache()
    if shuffled:
        data = data.shuffle(shuffled)
    return data.batch(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE), classes


def compiled(model: keras.Model, rate: float = 1e-3) -> keras.Model:
    """A model that gives logits, ready to learn classes by Adam, by default at its usual rate."""
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def learn(about: str, net: Callable[[int], keras.Model], shape: tuple[int, int, int], batch: int) -> None:
    """A program: a network for so many classes learns train/ and is scored on test/ after each of its epochs."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train/<class> and test/<class>")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=batch)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    train, classes = cached(options.data / "train", shape, options.batch, shuffled=60_000)  # all that there are
    test, _ = cached(options.data / "test", shape, 500)
    compiled(net(classes)).fit(train, epochs=options.epochs, verbose=0, callbacks=[Score(test)])

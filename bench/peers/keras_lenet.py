"""Keras 3 on TensorFlow as its guides teach it: a folder of pictures, cached in memory; LeNet; Adam.

LeNet is the one of lecture 001 (5x5 convolutions, average pooling, dense layers) with ReLU, which learns faster than
the original's tanh. Data and steps are those of keras_shared.py; after each epoch the test pictures are scored and one
JSON line is printed.
"""

from __future__ import annotations

from keras_shared import keras, learn


def lenet(classes: int) -> keras.Model:
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
            layers.Dense(classes),
        ]
    )


if __name__ == "__main__":
    learn(__doc__, lenet, (28, 28, 1), batch=128)

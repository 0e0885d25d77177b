"""CIFAR-10 in Keras 3 on TensorFlow, with the six-layer network of Keras' own example of it.

Four convolutions and two dense layers with dropout; mirrored pictures; Adam, since the RMSprop of the example takes
several times longer. Data and steps are those of keras_shared.py; after each epoch the test pictures are scored and one
JSON line is printed.
"""

from __future__ import annotations

from keras_shared import keras, learn


def six_layers(classes: int) -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.RandomFlip("horizontal"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),  # (n, 15, 15, 32)
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),  # (n, 6, 6, 64)
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes),
        ]
    )


if __name__ == "__main__":
    learn(__doc__, six_layers, (32, 32, 3), batch=64)

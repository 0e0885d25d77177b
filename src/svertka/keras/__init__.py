"""The Keras of the lectures: their code runs when `tensorflow.keras` in its import lines becomes
`svertka.keras`.

A facade without logic of its own: layers are `svertka.ops` and torch modules, pictures come through
`svertka.data`, training is `svertka.training.fit`, ready networks are the zoo's. Names, defaults and shapes
are Keras' of the lectures' time (TensorFlow 2.0 to 2.12); pictures are (n, height, width, channels) for
whoever looks, and torch's order inside.

    from svertka.keras import Sequential
    from svertka.keras.layers import Conv2D, Flatten, Dense
    from svertka.keras.preprocessing.image import ImageDataGenerator
"""

from svertka.keras import applications, layers, models, optimizers, preprocessing
from svertka.keras.models import Model, Sequential

__all__ = ["Model", "Sequential", "applications", "layers", "models", "optimizers", "preprocessing"]

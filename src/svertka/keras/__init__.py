"""The Keras of the lectures: their code runs when `tensorflow.keras` in its import lines becomes
`svertka.keras`.

A facade without logic of its own: layers are `svertka.ops` and torch modules, pictures come through
`svertka.data`, training is `svertka.training.fit`, ready networks are the zoo's. Names, defaults and shapes
are Keras' of the lectures' time (TensorFlow 2.0 to 2.12); pictures are (n, height, width, channels) for
whoever looks, and torch's order inside.

    from svertka.keras import Sequential
    from svertka.keras.layers import Conv2D, Flatten, Dense
    from svertka.keras.preprocessing.image import ImageDataGenerator

What the facade has not is refused by name (missing.py).
"""

from svertka.keras import applications, callbacks, layers, losses, models, optimizers, preprocessing, utils
from svertka.keras.layers import Input
from svertka.keras.missing import getter, name_missing_modules
from svertka.keras.models import Model, Sequential

__all__ = [
    "Input", "Model", "Sequential", "applications", "callbacks", "layers", "losses", "models", "optimizers",
    "preprocessing", "utils",
]  # fmt: skip

__getattr__ = getter(__name__, __all__)
name_missing_modules(__name__, __all__)

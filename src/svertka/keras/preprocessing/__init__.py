"""Reading data: `image` holds ImageDataGenerator."""

from svertka.keras.missing import getter
from svertka.keras.preprocessing import image

__all__ = ["image"]

__getattr__ = getter(__name__, __all__)

"""Reading data: `image` holds ImageDataGenerator."""

from svertka.keras.preprocessing import image

__all__ = ["image"]

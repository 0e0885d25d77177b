"""VGG with 19 layers: Simonyan and Zisserman 2014, arXiv:1409.1556."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["VGG19", "preprocess_input"]

VGG19 = application("vgg19")

__getattr__ = getter(__name__, __all__)

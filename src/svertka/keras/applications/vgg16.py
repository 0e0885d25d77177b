"""VGG with 16 layers: Simonyan and Zisserman 2014, arXiv:1409.1556."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["VGG16", "preprocess_input"]

VGG16 = application("vgg16")

__getattr__ = getter(__name__, __all__)

"""Inception v3: Szegedy et al. 2015, arXiv:1512.00567."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["InceptionV3", "preprocess_input"]

InceptionV3 = application("inception_v3", size=299)

__getattr__ = getter(__name__, __all__)

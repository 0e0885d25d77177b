"""MobileNet v2: Sandler et al. 2018, arXiv:1801.04381."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["MobileNetV2", "preprocess_input"]

MobileNetV2 = application("mobilenet_v2")

__getattr__ = getter(__name__, __all__)

"""EfficientNet: Tan and Le 2019, arXiv:1905.11946."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "preprocess_input",
]

EfficientNetB0 = application("efficientnet_b0")
EfficientNetB1 = application("efficientnet_b1", size=240)
EfficientNetB2 = application("efficientnet_b2", size=260)
EfficientNetB3 = application("efficientnet_b3", size=300)
EfficientNetB4 = application("efficientnet_b4", size=380)
EfficientNetB5 = application("efficientnet_b5", size=456)
EfficientNetB6 = application("efficientnet_b6", size=528)
EfficientNetB7 = application("efficientnet_b7", size=600)

__getattr__ = getter(__name__, __all__)

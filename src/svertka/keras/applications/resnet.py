"""ResNet as a Keras model.

It is ResNet v1.5 without biases before batch norm, as PyTorch's checkpoints want it; Keras has v1 with
those biases, so ResNet50 holds 26,560 numbers fewer here. Weights of ImageNet expect what `preprocess_input` makes.
"""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["ResNet50", "ResNet101", "ResNet152", "preprocess_input"]

ResNet50 = application("resnet50")
ResNet101 = application("resnet101")
ResNet152 = application("resnet152")

__getattr__ = getter(__name__, __all__)

"""DenseNet: Huang et al. 2016, arXiv:1608.06993."""

from __future__ import annotations

from svertka.keras.applications.zoo_network import application, preprocess_input
from svertka.keras.missing import getter

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "preprocess_input"]

DenseNet121 = application("densenet121")
DenseNet169 = application("densenet169")
DenseNet201 = application("densenet201")

__getattr__ = getter(__name__, __all__)

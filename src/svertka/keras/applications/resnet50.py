"""Keras' other name for `resnet`."""

from svertka.keras.applications.resnet import ResNet50, preprocess_input

__all__ = ["ResNet50", "preprocess_input"]

"""Ready networks under Keras' names."""

from svertka.keras.applications import resnet
from svertka.keras.applications.resnet import ResNet50, ResNet101, ResNet152

__all__ = ["ResNet50", "ResNet101", "ResNet152", "resnet"]

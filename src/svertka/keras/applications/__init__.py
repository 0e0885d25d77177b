"""Ready networks under Keras' names."""

from svertka.keras.applications import (
    densenet,
    efficientnet,
    inception_v3,
    mobilenet_v2,
    resnet,
    resnet50,
    vgg16,
    vgg19,
)
from svertka.keras.applications.densenet import DenseNet121, DenseNet169, DenseNet201
from svertka.keras.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from svertka.keras.applications.inception_v3 import InceptionV3
from svertka.keras.applications.mobilenet_v2 import MobileNetV2
from svertka.keras.applications.resnet import ResNet50, ResNet101, ResNet152
from svertka.keras.applications.vgg16 import VGG16
from svertka.keras.applications.vgg19 import VGG19
from svertka.keras.missing import getter

__all__ = [
    "VGG16",
    "VGG19",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "InceptionV3",
    "MobileNetV2",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "densenet",
    "efficientnet",
    "inception_v3",
    "mobilenet_v2",
    "resnet",
    "resnet50",
    "vgg16",
    "vgg19",
]

__getattr__ = getter(__name__, __all__)

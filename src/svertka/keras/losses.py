"""Keras' losses: which one, and whether the last layer gives probabilities or logits."""

from __future__ import annotations

from dataclasses import dataclass

from svertka.errors import UnknownName
from svertka.keras.missing import getter

# loss -> the activation that the last layer must end with
LOSSES = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}


@dataclass(frozen=True)
class Loss:
    """A loss by name; `from_logits` where the last layer has no activation."""

    name: str
    from_logits: bool = False

    @property
    def activation(self) -> str:
        """What makes probabilities of the logits of this loss."""
        return LOSSES[self.name]


def SparseCategoricalCrossentropy(from_logits: bool = False) -> Loss:
    """Cross-entropy; labels are numbers of classes."""
    return Loss("sparse_categorical_crossentropy", from_logits)


def CategoricalCrossentropy(from_logits: bool = False) -> Loss:
    """Cross-entropy; labels are one-hot."""
    return Loss("categorical_crossentropy", from_logits)


def BinaryCrossentropy(from_logits: bool = False) -> Loss:
    """Cross-entropy of two classes and one output."""
    return Loss("binary_crossentropy", from_logits)


def loss_of(loss: str | Loss) -> Loss:
    """A loss by its name, or as it is.

    Raises:
        UnknownName: there is none of that name.
    """
    if isinstance(loss, Loss):
        return loss
    if loss not in LOSSES:
        raise UnknownName("loss", str(loss), LOSSES)
    return Loss(loss)


__getattr__ = getter(
    __name__, ["SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy", *LOSSES]
)

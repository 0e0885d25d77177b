"""Keras' optimizers: names and numbers that a `svertka.training.Recipe` is filled with.

Rates and momenta are Keras' by default; what else there is are PyTorch's numbers, so the running means of RMSprop and
Adadelta keep 0.99 and 0.9 of themselves (Keras: 0.9 and 0.95). `lr` is the old name of `learning_rate`, as the lectures
write it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from svertka.errors import UnknownName
from svertka.keras.missing import getter
from svertka.optimizers import registry


@dataclass
class Optimizer:
    """One row: what the recipe calls it, its rate, its momentum (Adam's first beta) and its decay."""

    recipe_name: str
    learning_rate: float
    momentum: float
    weight_decay: float = 0.0

    @property
    def lr(self) -> float:
        """The learning rate under its old name."""
        return self.learning_rate


def SGD(
    learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, *, lr: float | None = None
) -> Optimizer:
    """Gradient descent, with momentum where it is not 0.

    >>> SGD(lr=0.1).learning_rate
    0.1
    """
    return Optimizer("nesterov" if nesterov else "sgd", learning_rate if lr is None else lr, momentum)


def Adam(learning_rate: float = 0.001, beta_1: float = 0.9, *, lr: float | None = None) -> Optimizer:
    """Adaptive moment estimation: Kingma and Ba 2014, arXiv:1412.6980."""
    return Optimizer("adam", learning_rate if lr is None else lr, beta_1)


def RMSprop(learning_rate: float = 0.001, momentum: float = 0.0, *, lr: float | None = None) -> Optimizer:
    """Steps divided by a running mean of the gradient's size (Tieleman and Hinton 2012)."""
    return Optimizer("rmsprop", learning_rate if lr is None else lr, momentum)


def Adadelta(learning_rate: float = 0.001, *, lr: float | None = None) -> Optimizer:
    """Steps in the units of the parameters: Zeiler 2012, arXiv:1212.5701."""
    return Optimizer("adadelta", learning_rate if lr is None else lr, 0.9)


def AdamW(
    learning_rate: float = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9, *, lr: float | None = None
) -> Optimizer:
    """Adam with decoupled weight decay: Loshchilov and Hutter 2017, arXiv:1711.05101."""
    return Optimizer("adamw", learning_rate if lr is None else lr, beta_1, weight_decay)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "rmsprop": RMSprop,
    "adadelta": Adadelta,
    "adamw": AdamW,
}


def get(optimizer: str | Optimizer) -> Optimizer:
    """An optimizer by its name in any case, with its defaults; an optimizer as it is.

    Names that Keras has not are those of the recipe, with what is usual for them there.

    Raises:
        UnknownName: there is none of that name.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    name = optimizer.lower()
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]()
    if name not in registry.OPTIMIZERS:
        raise UnknownName("optimizer", optimizer, [*OPTIMIZERS, *registry.OPTIMIZERS])
    row = registry.OPTIMIZERS[name]
    return Optimizer(name, row.peak_from_scratch, row.momentum[0])


__getattr__ = getter(__name__, ["Adadelta", "Adam", "AdamW", "RMSprop", "SGD", "Optimizer"])

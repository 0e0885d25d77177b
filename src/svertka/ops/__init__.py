"""The operations of convolutional networks, each in three forms, proved equal forwards and backwards.

>>> import torch
>>> from svertka import ops
>>> picture, cross = torch.eye(5)[None, None], ops.kernel("cross")[None, None]
>>> ops.conv2d(picture, cross)[0, 0]                # the library's call, which everything else uses
tensor([[3., 0., 1.],
        [0., 3., 0.],
        [1., 0., 3.]])
>>> ops.conv2d.definition(picture, cross)[0, 0, 0]  # the same in loops, as the lecture writes it
tensor([3., 0., 1.])
>>> ops.conv2d.matrix(picture, cross)[0, 0, 0]      # the same as a matrix product
tensor([3., 0., 1.])
>>> ops.prove("conv2d").forms                       # the same, proved now, on awkward shapes
('definition', 'matrix', 'torch')
"""

from __future__ import annotations

from typing import Any

from svertka.errors import UnknownName
from svertka.ops import proof
from svertka.ops.activations import leaky_relu, relu, sigmoid, softmax, tanh
from svertka.ops.convolution import conv1d, conv2d
from svertka.ops.dense import linear
from svertka.ops.forms import FORMS, Operation
from svertka.ops.kernels import KERNELS, Kernel, box, filtered, gauss, kernel
from svertka.ops.modes import batchnorm, dropout, running
from svertka.ops.pooling import (
    avgpool1d,
    avgpool2d,
    globalavgpool,
    globalmaxpool,
    maxpool1d,
    maxpool2d,
    minpool1d,
    minpool2d,
    sumpool1d,
    sumpool2d,
)
from svertka.ops.proof import Agreement, Disagreement, agree

# Every operation by name, in the order in which one meets them.
OPERATIONS: dict[str, Operation[...]] = {
    operation.name: operation
    for operation in (
        conv1d,
        conv2d,
        maxpool1d,
        maxpool2d,
        minpool1d,
        minpool2d,
        avgpool1d,
        avgpool2d,
        sumpool1d,
        sumpool2d,
        globalavgpool,
        globalmaxpool,
        linear,
        relu,
        leaky_relu,
        sigmoid,
        tanh,
        softmax,
        dropout,
        batchnorm,
    )
}

__all__ = [
    "FORMS",
    "KERNELS",
    "OPERATIONS",
    "Agreement",
    "Disagreement",
    "Kernel",
    "Operation",
    "agree",
    "avgpool1d",
    "avgpool2d",
    "batchnorm",
    "box",
    "conv1d",
    "conv2d",
    "dropout",
    "filtered",
    "gauss",
    "globalavgpool",
    "globalmaxpool",
    "kernel",
    "leaky_relu",
    "linear",
    "maxpool1d",
    "maxpool2d",
    "minpool1d",
    "minpool2d",
    "operation",
    "prove",
    "relu",
    "running",
    "sigmoid",
    "softmax",
    "sumpool1d",
    "sumpool2d",
    "tanh",
]


def operation(name: str) -> Operation[...]:
    """An operation by name.

    Raises:
        UnknownName: there is no operation of that name; the message offers what is near.
    """
    if name not in OPERATIONS:
        raise UnknownName("operation", name, OPERATIONS, where=f"There are {', '.join(OPERATIONS)}.")
    return OPERATIONS[name]


def prove(name: str | Operation[...], *args: Any, **options: Any) -> Agreement:
    """Prove that the forms of an operation agree in value and gradient, now.

    Args:
        name: one of OPERATIONS.
        args: what to call it with; without any, its own awkward cases.
        options: further arguments of the operation.

    Raises:
        UnknownName: there is no operation of that name.
        Disagreement: two forms differ by more than rounding.
    """
    return proof.prove(name if isinstance(name, Operation) else operation(name), *args, **options)

"""The arithmetic of sizes: whole numbers only, no torch, no numpy.

window    a window that slides along one axis: output size, padding, least input, which pixels it sees
field     the receptive field as a record that composes along a chain of windows, and the way back
counts    weights, biases, multiply-adds, memory

A picture has two axes; each has a window of its own. Everything that predicts a shape asks here: the
operations, the notation, the layer table, the lab and the tests.

>>> from svertka.shapes import Window, conv_parameters, conv_macs
>>> stem = Window(kernel=7, stride=2, padding=3)
>>> stem.out(224)
112
>>> conv_parameters(3, 64, (7, 7)).weights, conv_macs(3, 64, (7, 7), out=(112, 112))
(9408, 118013952)
"""

from svertka.shapes.counts import (
    Parameters,
    conv_macs,
    conv_parameters,
    linear_macs,
    linear_parameters,
    memory,
    norm_parameters,
    numbers,
    short,
)
from svertka.shapes.field import Field, receptive_field, trace
from svertka.shapes.window import (
    PADDINGS,
    Padding,
    Paddings,
    Sizes,
    Window,
    chain,
    output_shape,
    output_size,
    per_axis,
    windows,
)

__all__ = [
    "PADDINGS",
    "Field",
    "Padding",
    "Paddings",
    "Parameters",
    "Sizes",
    "Window",
    "chain",
    "conv_macs",
    "conv_parameters",
    "linear_macs",
    "linear_parameters",
    "memory",
    "norm_parameters",
    "numbers",
    "output_shape",
    "output_size",
    "per_axis",
    "receptive_field",
    "short",
    "trace",
    "windows",
]

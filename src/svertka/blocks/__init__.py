"""Modules that networks are made of."""

from svertka.blocks.conv import PADDINGS, ConvNorm, SqueezeExcite, TensorflowConv
from svertka.blocks.net import Net
<<<<<<< HEAD
from svertka.blocks.residual import InvertedResidual, StochasticDepth, he_normal, round_width

__all__ = [
    "PADDINGS",
    "ConvNorm",
    "InvertedResidual",
    "Net",
    "SqueezeExcite",
    "StochasticDepth",
    "TensorflowConv",
    "he_normal",
    "round_width",
]
=======
from svertka.blocks.netvlad import NetVLAD, with_netvlad

__all__ = ["Net", "NetVLAD", "with_netvlad"]
>>>>>>> zooc

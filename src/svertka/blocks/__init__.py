"""Modules that networks are made of."""

from svertka.blocks.conv import PADDINGS, ConvNorm, SqueezeExcite, TensorflowConv
from svertka.blocks.net import Net
from svertka.blocks.netvlad import NetVLAD, with_netvlad
from svertka.blocks.residual import InvertedResidual, StochasticDepth, he_normal, round_width

__all__ = [
    "PADDINGS",
    "ConvNorm",
    "InvertedResidual",
    "Net",
    "NetVLAD",
    "SqueezeExcite",
    "StochasticDepth",
    "TensorflowConv",
    "he_normal",
    "round_width",
    "with_netvlad",
]

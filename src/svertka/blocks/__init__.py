"""Modules that networks are made of."""

from svertka.blocks.conv import PADDINGS, ConvNorm, SqueezeExcite, TensorflowConv
from svertka.blocks.heads import HEADS, Dense, Neighbours, put_head
from svertka.blocks.net import Net
from svertka.blocks.netvlad import NetVLAD, put_netvlad, with_netvlad
from svertka.blocks.residual import InvertedResidual, StochasticDepth, he_normal, round_width
from svertka.blocks.together import Together
from svertka.blocks.whitening import Whitening, measure_whitening

__all__ = [
    "HEADS",
    "PADDINGS",
    "ConvNorm",
    "Dense",
    "InvertedResidual",
    "Neighbours",
    "Net",
    "NetVLAD",
    "SqueezeExcite",
    "StochasticDepth",
    "TensorflowConv",
    "Together",
    "Whitening",
    "he_normal",
    "measure_whitening",
    "put_head",
    "put_netvlad",
    "round_width",
    "with_netvlad",
]

"""Modules that networks are made of."""

from svertka.blocks.conv import PADDINGS, ConvNorm, SqueezeExcite, TensorflowConv
from svertka.blocks.ensemble import Together, averages
from svertka.blocks.heads import HEADS, Dense, Neighbors, put_head
from svertka.blocks.multi_stage import LastStages, put_stages, stages_seen
from svertka.blocks.net import Net
from svertka.blocks.netvlad import NetVLAD, put_netvlad, with_netvlad
from svertka.blocks.residual import InvertedResidual, StochasticDepth, he_normal, round_width
from svertka.blocks.whitening import Whitening, measure_whitening

__all__ = [
    "HEADS",
    "PADDINGS",
    "ConvNorm",
    "Dense",
    "InvertedResidual",
    "LastStages",
    "Neighbors",
    "Net",
    "NetVLAD",
    "SqueezeExcite",
    "StochasticDepth",
    "TensorflowConv",
    "Together",
    "Whitening",
    "averages",
    "he_normal",
    "measure_whitening",
    "put_head",
    "put_netvlad",
    "put_stages",
    "round_width",
    "stages_seen",
    "with_netvlad",
]

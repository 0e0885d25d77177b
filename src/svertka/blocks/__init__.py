"""Modules that networks are made of."""

from svertka.blocks.branches import Concat, Residual
from svertka.blocks.conv import PADDINGS, ConvNorm, SqueezeExcite, TensorflowConv
from svertka.blocks.ensemble import Ensemble, averages
from svertka.blocks.heads import HEADS, Dense, Neighbors, put_head
from svertka.blocks.multi_stage import LastStages, put_stages, stages_seen
from svertka.blocks.net import NET, Net
from svertka.blocks.netvlad import NetVLAD, put_netvlad, with_netvlad
from svertka.blocks.pooling import MinPool, SumPool
from svertka.blocks.residual import InvertedResidual, StochasticDepth, he_normal, round_width
from svertka.blocks.saved import SAVED, SavedClass, saved_as, saved_class_of
from svertka.blocks.whitening import Whitening, measure_whitening

__all__ = [
    "HEADS",
    "NET",
    "PADDINGS",
    "SAVED",
    "Concat",
    "ConvNorm",
    "Dense",
    "Ensemble",
    "InvertedResidual",
    "LastStages",
    "MinPool",
    "Neighbors",
    "Net",
    "NetVLAD",
    "Residual",
    "SavedClass",
    "SqueezeExcite",
    "StochasticDepth",
    "SumPool",
    "TensorflowConv",
    "Whitening",
    "averages",
    "he_normal",
    "measure_whitening",
    "put_head",
    "put_netvlad",
    "put_stages",
    "round_width",
    "saved_as",
    "saved_class_of",
    "stages_seen",
    "with_netvlad",
]

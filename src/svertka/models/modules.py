"""The kinds of module that a saved network may be made of, by the names that they are saved under.

Files name these kinds, so a name is for ever: a class that moves keeps its name here, and one whose arithmetic or
arguments change becomes a new kind with a new name, while the old one stays for as long as its models are to be read
(tests/models/test_structure.py holds what they compute).

There are two ways to make one again:
- a layer, by the arguments of its class, which it keeps as attributes of the same names;
- whatever else, by its parts and own tensors, and by the few plain attributes that its forward pass reads.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from torch import nn

LAYERS: tuple[str, ...] = (  # of torch.nn
    *("Conv1d", "Conv2d", "Linear", "Identity", "Flatten", "Dropout"),
    *("BatchNorm1d", "BatchNorm2d", "LayerNorm", "LocalResponseNorm", "ConstantPad1d", "ConstantPad2d"),
    *("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"),
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"),
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "GELU", "SiLU"),
    *("Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "Softmax"),
)
CONTAINERS: tuple[str, ...] = ("Sequential", "ModuleList", "ModuleDict")  # of torch.nn

NET = ("name", "least", "built_for")
POOL = ("axes", "kernel_size", "stride", "padding", "ceil_mode")

OURS: Mapping[str, tuple[str, tuple[str, ...] | None]] = {  # kind: (class, attributes; None of a layer)
    "Net": ("blocks.net:Net", NET),
    "Together": ("blocks.ensemble:Together", (*NET, "specs")),
    "SideBySide": ("blocks.ensemble:SideBySide", ()),
    "Rescale": ("blocks.ensemble:Rescale", ()),
    "LastStages": ("blocks.multi_stage:LastStages", ("last",)),
    "ConvNorm": ("blocks.conv:ConvNorm", ()),
    "TensorflowConv": ("blocks.conv:TensorflowConv", None),
    "SqueezeExcite": ("blocks.conv:SqueezeExcite", ()),
    "InvertedResidual": ("blocks.residual:InvertedResidual", ("residual",)),
    "StochasticDepth": ("blocks.residual:StochasticDepth", None),
    "Residual": ("blocks.branches:Residual", ()),
    "Concat": ("blocks.branches:Concat", ()),
    "MinPool": ("blocks.pooling:MinPool", POOL),
    "SumPool": ("blocks.pooling:SumPool", POOL),
    "Whitening": ("blocks.whitening:Whitening", None),
    "NetVLAD": ("blocks.netvlad:NetVLAD", ("channels", "clusters")),
    "Dense": ("blocks.heads:Dense", ()),
    "Neighbours": ("blocks.heads:Neighbors", ("classes", "k")),
    "conformer.Subsampling": ("zoo.series.conformer:Subsampling", ("mels",)),
    "conformer.FeedForward": ("zoo.series.conformer:FeedForward", ()),
    "conformer.Attention": ("zoo.series.conformer:Attention", ("heads",)),
    "conformer.Convolution": ("zoo.series.conformer:Convolution", ("pad",)),
    "conformer.Block": ("zoo.series.conformer:Block", ()),
    "convnext.Block": ("zoo.image.convnext:Block", ()),
    "convnext.ChannelNorm": ("zoo.image.convnext:ChannelNorm", None),
    "densenet.Layer": ("zoo.image.densenet:Layer", ()),
    "efficientnet.FusedInvertedResidual": ("zoo.image.efficientnet:FusedInvertedResidual", ("residual",)),
    "inception.Branches": ("zoo.image.googlenet:Branches", ()),
    "inception.Inception": ("zoo.image.googlenet:Inception", NET),
    "inception.Shrink": ("zoo.image.inception_v3:Shrink", ()),
    "inceptiontime.Module": ("zoo.series.inceptiontime:Module", ()),
    "inceptiontime.Residual": ("zoo.series.inceptiontime:Residual", ()),
    "resnet.Basic": ("zoo.image.resnet:Basic", ()),
    "resnet.Bottleneck": ("zoo.image.resnet:Bottleneck", ()),
    "resnet.Subsample": ("zoo.image.resnet_cifar:Subsample", ("stride", "pad")),
    "resnet1d.Residual": ("zoo.series.resnet1d:Residual", ()),
    "squeezenet.Fire": ("zoo.image.squeezenet:Fire", ()),
    "squeezenet.PlaceHead": ("zoo.image.squeezenet:PlaceHead", ()),
    "squeezenet.SqueezeNet": ("zoo.image.squeezenet:SqueezeNet", NET),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of module.

    name   what files call it
    where  the module that its class is in
    title  the name of the class
    keeps  plain attributes that belong to it; None of a layer, which is made by its arguments
    """

    name: str
    where: str
    title: str
    keeps: tuple[str, ...] | None

    @property
    def made(self) -> type[nn.Module]:
        """The class; only now is its family imported."""
        found: type[nn.Module] = getattr(importlib.import_module(self.where), self.title)
        return found


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by their names."""
    torch_own = dict.fromkeys(LAYERS) | dict.fromkeys(CONTAINERS, ())
    found = {name: Kind(name, "torch.nn", name, keeps) for name, keeps in torch_own.items()}
    for name, (place, keeps) in OURS.items():
        where, title = place.split(":")
        found[name] = Kind(name, f"svertka.{where}", title, keeps)
    return found


def kind_of(module: nn.Module) -> Kind | None:
    """The kind of a module; None of a class that is none of them.

    A subclass is another class.
    """
    made = type(module)
    where = "torch.nn" if made.__module__.startswith("torch.nn.modules.") else made.__module__
    return _by_class().get((where, made.__qualname__))


@cache
def _by_class() -> dict[tuple[str, str], Kind]:
    return {(kind.where, kind.title): kind for kind in kinds().values()}

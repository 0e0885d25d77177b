"""Layers one after another, each with a name."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def named(**layers: nn.Module) -> nn.Sequential:
    """An `nn.Sequential` whose layers have names instead of numbers.

    >>> list(named(conv=nn.Conv2d(3, 8, 3), relu=nn.ReLU()).state_dict())
    ['conv.weight', 'conv.bias']
    """
    return nn.Sequential(OrderedDict(layers))

"""Layers side by side: a residual adds its branches, a concatenation lays them one behind another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svertka.blocks.saved import saved_as


@saved_as("Residual")
class Residual(nn.Module):
    """body(x) + skip(x), in the spirit of He et al. 2015, arXiv:1512.03385."""

    def __init__(self, body: nn.Module, skip: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.skip = skip or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, c', *size')."""
        y: Tensor = self.body(x) + self.skip(x)
        return y


@saved_as("Concat")
class Concat(nn.ModuleList):
    """The channels of all branches, as in Szegedy et al. 2014, arXiv:1409.4842."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, sum of the branches' c', *size')."""
        return torch.cat([branch(x) for branch in self], dim=1)

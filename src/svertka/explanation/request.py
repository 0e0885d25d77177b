"""`Ask`: one question to a network, as every method receives it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svertka.explanation.layers import forward


@dataclass(frozen=True, slots=True)
class Ask:
    """Why these classes, for these inputs?

    net      borrowed: evaluation mode, frozen
    x        (n, channels, *size), normalized: 0 is the mean color
    target   (n,) a class for each
    layer    the name of the layer that is watched; "" for methods that watch none
    samples  masks, noisy copies or steps, as the method counts them; None is its own choice
    seed     of random masks and noise
    batch    inputs in one pass
    """

    net: nn.Module
    x: Tensor
    target: Tensor
    layer: str = ""
    samples: int | None = None
    seed: int = 0
    batch: int = 32

    def scores(self, x: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """The logits of the asked classes: (m, ...) -> (m,); `rows` says whose classes."""
        target = self.target[rows]
        return forward(self.net, x).gather(1, target.expand(len(x))[:, None])[:, 0]

    def generator(self) -> torch.Generator:
        """Random numbers that only `seed` decides."""
        return torch.Generator().manual_seed(self.seed)

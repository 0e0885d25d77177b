"""Heads for a network that is taken over from elsewhere: one row each, built from its width and the classes.

`Net.made_head` remembers which one was put in, so that a saved model can be built again without its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.net import Net
from svertka.blocks.saved import saved_as
from svertka.errors import UnknownName


@saved_as("Neighbours", keeps=("classes", "k"))
class Neighbors(nn.Module):
    """The classes of the k most alike vectors vote: (n, d) -> (n, classes), the logarithm of their shares.

    Alike is the cosine. Every class starts with one vote among them all, so that no share is zero.

    Args:
        width: d, length of a vector.
        classes: outputs.
        count: vectors that are remembered.
        k: how many of them vote.
    """

    keys: Tensor
    labels: Tensor

    def __init__(self, width: int, classes: int, count: int, k: int = 5) -> None:
        super().__init__()
        self.classes, self.k = classes, min(k, count)
        self.register_buffer("keys", torch.zeros(count, width))
        self.register_buffer("labels", torch.zeros(count, dtype=torch.long))

    def remember(self, vectors: Tensor, labels: Tensor) -> None:
        """Keep these (count, d) vectors, at length 1, and their labels (count,)."""
        self.keys.copy_(F.normalize(vectors, dim=1))
        self.labels.copy_(labels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, classes)."""
        alike = F.normalize(x, dim=1) @ self.keys.T  # (n, count)
        near, place = alike.topk(self.k, dim=1)  # (n, k)
        # Likeness breaks ties between equally many votes, and is too small to outvote anyone.
        votes = F.one_hot(self.labels[place], self.classes).to(x) * (1 + near[..., None] / (4 * self.k))
        votes = votes.sum(1) + 1 / self.classes  # (n, classes)
        return torch.log(votes / votes.sum(1, keepdim=True))


@saved_as("Dense")
class Dense(nn.Sequential):
    """One hidden layer, the dense stack of the lectures: (n, d) -> (n, classes)."""

    def __init__(self, width: int, classes: int, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))


HEADS: Mapping[str, Callable[..., nn.Module]] = {"linear": nn.Linear, "dense": Dense, "neighbors": Neighbors}


def put_head(net: Net, kind: str, width: int, classes: int, **options: Any) -> Net:
    """Replace the head of a network, in place, by a fresh one of HEADS on vectors of `width`.

    Raises:
        UnknownName: there is no such kind.
    """
    if kind not in HEADS:
        raise UnknownName("head", kind, HEADS)
    net.head = HEADS[kind](width, classes, **options)
    net.made_head = {"kind": kind, "width": width, **options}
    return net

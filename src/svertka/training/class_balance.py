"""Classes of different size: what can be done about it, and what that does to probabilities."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from svertka.common.messages import message
from svertka.training.recipe import Recipe
from svertka.training.state import State

LOPSIDED = 5.0  # times as many pictures in the largest class as in the smallest: worth a warning

MEANING = {
    "weights": (
        "Mistakes on rare classes cost more (balance=weights), so the probabilities are those of a world where all "
        "classes are equally frequent: rare classes are found more often, and named by mistake more often, than the "
        "shares in your data would justify."
    ),
    "sample": (
        "Pictures of rare classes are drawn oftener (balance=sample), so the probabilities are those of a world where "
        "all classes are equally frequent: rare classes are found more often, and named by mistake more often, than "
        "the shares in your data would justify."
    ),
}


def weigh(state: State, recipe: Recipe, labels: np.ndarray, classes: int) -> None:
    """Let mistakes on rare classes cost more from here on, where the recipe says so.

    Args:
        state: a training that begins or goes on.
        recipe: its `balance`.
        labels: of all training pictures, (n,).
        classes: how many there are.
    """
    if recipe.balance == "weights":
        device = next(state.net.parameters()).device
        state.class_weights = class_weights(labels, classes).to(device)


def class_weights(labels: np.ndarray, classes: int) -> Tensor:
    """One weight a class, inverse to its frequency, with a mean of 1 over the pictures: float32 (classes,).

    >>> class_weights(np.array([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = np.bincount(labels, minlength=classes)
    there = counts > 0
    weights = np.zeros(classes)
    weights[there] = len(labels) / (there.sum() * counts[there])
    return torch.tensor(weights, dtype=torch.float32)


def sentence(labels: np.ndarray, classes: tuple[str, ...], balance: str) -> str | None:
    """What balancing does, or a warning where classes are lopsided and nothing balances them; else None."""
    if balance in MEANING:
        return message(f"balance.{balance}", MEANING[balance])
    counts = np.bincount(labels, minlength=len(classes))
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
    if counts[most] < LOPSIDED * counts[least]:
        return None
    return message(
        "balance.none",
        "{many} has {a} training pictures and {few} {b}: look at the recall of each class, not only at the accuracy; "
        "--balance weights makes rare classes count as much.",
        many=repr(classes[most]),
        a=int(counts[most]),
        few=repr(classes[least]),
        b=int(counts[least]),
    )

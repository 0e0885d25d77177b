"""Keras' utilities."""

from __future__ import annotations

import random

import numpy as np
import torch

from svertka.errors import UsageError
from svertka.keras.missing import getter

__all__ = ["set_random_seed", "to_categorical"]


def to_categorical(y: object, num_classes: int | None = None) -> np.ndarray:
    """Numbers of classes (n,) -> one-hot float32 (n, num_classes).

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]

    Raises:
        UsageError: a number below 0, not whole, or beyond the classes.
    """
    labels = np.asarray(y)
    labels = labels[..., 0] if labels.ndim > 1 and labels.shape[-1] == 1 else labels
    whole = labels.astype(np.int64)
    classes = int(whole.max(initial=-1)) + 1 if num_classes is None else num_classes
    if not np.array_equal(whole, labels) or whole.min(initial=0) < 0 or whole.max(initial=-1) >= classes:
        raise UsageError(f"Labels are whole numbers from 0 to {classes - 1}; received {np.unique(labels)[:5]}.")
    return np.eye(classes, dtype=np.float32)[whole]


def set_random_seed(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # what the listings of Keras draw from
    torch.manual_seed(seed)


__getattr__ = getter(__name__, __all__)

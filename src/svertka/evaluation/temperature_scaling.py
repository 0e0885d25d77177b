"""One number that makes probabilities honest: the temperature.

Guo et al. 2017, arXiv:1706.04599, section 4.2: logits are divided by T before softmax, and T minimizes the mean
negative log-likelihood on validation. It changes no ranking, so no accuracy. It matters most after label smoothing,
which teaches a network to understate how sure it is.

Where every answer is right, that likelihood has no best T: the surer the better, from however few pictures. The mean
confidence is then that of Laplace's rule of succession (1814), (n + 1) / (n + 2) after n answers without a mistake.
"""

from __future__ import annotations

import math

import numpy as np

LOW, HIGH = math.log(0.05), math.log(20.0)
GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that fits validation best, between 0.05 and 20.

    What is searched for its floor has one valley in log T, so golden-section search finds it.

    Args:
        logits: (n, classes).
        labels: (n,) whole numbers in 0..classes-1.
    """
    logits = logits.astype(np.float64)
    miss = _loss if (logits.argmax(1) != labels).any() else _from_succession
    low, high = LOW, HIGH
    while high - low > 1e-4:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if miss(logits, labels, math.exp(left)) < miss(logits, labels, math.exp(right)):
            high = right
        else:
            low = left
    return round(math.exp((low + high) / 2), 4)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Logits (n, classes) -> probabilities (n, classes), float32."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares.astype(np.float32)


def _loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    scaled = logits / temperature
    top = scaled.max(1)
    return float((np.log(np.exp(scaled - top[:, None]).sum(1)) + top - scaled[np.arange(len(labels)), labels]).mean())


def _from_succession(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """How far the mean confidence lies from what that many answers without a mistake bear out."""
    scaled = logits / temperature
    confidence = 1 / np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)
    return abs(float(confidence.mean()) - (len(labels) + 1) / (len(labels) + 2))

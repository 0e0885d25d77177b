"""How good a classifier is, and where it errs: from probabilities and labels alone."""

from svertka.evaluation.metrics import (
    ClassScore,
    Confused,
    Evaluation,
    calibration,
    evaluate,
    most_confused,
    wilson,
    worst_mistakes,
)

__all__ = [
    "ClassScore",
    "Confused",
    "Evaluation",
    "calibration",
    "evaluate",
    "most_confused",
    "wilson",
    "worst_mistakes",
]

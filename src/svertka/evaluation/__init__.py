"""How good a classifier is, and where it errs: from probabilities and labels alone."""

from svertka.evaluation.calibration import Calibration, calibration
from svertka.evaluation.intervals import wilson
from svertka.evaluation.mcnemar import Difference, difference
from svertka.evaluation.metrics import (
    ClassScore,
    Confused,
    Evaluation,
    evaluate,
    least_certain,
    most_confused,
    worst_mistakes,
)

__all__ = [
    "Calibration",
    "ClassScore",
    "Confused",
    "Difference",
    "Evaluation",
    "calibration",
    "difference",
    "evaluate",
    "least_certain",
    "most_confused",
    "wilson",
    "worst_mistakes",
]

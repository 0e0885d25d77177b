"""The sections of a run's report: a function from the run folder to plain data, and a template, for each.

None means that the run has nothing for that section, and the page leaves it out. contents.py orders them.
"""

from svertka.reporting.sections import (
    again,
    baselines,
    calibration,
    card,
    check,
    choices,
    classes,
    confusion,
    data,
    failing,
    inside,
    ladder,
    learning,
    map,
    mistakes,
    network,
    preparation,
    robustness,
    scores,
    time,
    timing,
)

__all__ = [
    "again",
    "baselines",
    "calibration",
    "card",
    "check",
    "choices",
    "classes",
    "confusion",
    "data",
    "failing",
    "inside",
    "ladder",
    "learning",
    "map",
    "mistakes",
    "network",
    "preparation",
    "robustness",
    "scores",
    "time",
    "timing",
]

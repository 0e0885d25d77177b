"""The sections of a run's report, in order. This is the one place where a section is added:

1. sections/NAME.py with `section(run)`: a dictionary of plain data, or None where the run has nothing to say there;
2. sections/NAME.html, which shows it: `it` is the dictionary, `say("...", n=it.n)` every sentence;
3. russian/NAME.py with the Russian of these sentences;
4. a row below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from svertka.reporting import sections
from svertka.reporting.run_results import RunFolder


@dataclass(frozen=True, slots=True)
class Section:
    """A section: the name of its template and anchor, its word in the menu, its heading, and what makes it."""

    name: str
    menu: str
    heading: str
    make: Callable[[RunFolder], dict[str, Any] | None]


CONTENTS = (
    Section("data", "Data", "What it learned from", sections.data.section),
    Section("check", "Check", "What the check of the data found", sections.check.section),
    Section("preparation", "Preparation", "How a picture is prepared", sections.preparation.section),
    Section("network", "Network", "The network", sections.network.section),
    Section("choices", "Choices", "What was chosen, and why", sections.choices.section),
    Section("ladder", "Ladder", "What the weights it started from are good for", sections.ladder.section),
    Section("learning", "Learning", "How it learned", sections.learning.section),
    Section("scores", "Scores", "All scores", sections.scores.section),
    Section("classes", "Classes", "How well it knows each class", sections.classes.section),
    Section("confusion", "Confusion", "What it takes for what", sections.confusion.section),
    Section("mistakes", "Mistakes", "The worst mistakes", sections.mistakes.section),
    Section("inside", "Inside", "What it looks at, and what is in it", sections.inside.section),
    Section("map", "Map", "How the network sees the pictures", sections.map.section),
    Section("failing", "Failures", "Where it fails", sections.failing.section),
    Section("calibration", "Calibration", "Is it as right as it is sure?", sections.calibration.section),
    Section("robustness", "Changes", "How far pictures may change", sections.robustness.section),
    Section("baselines", "Baselines", "Beside something simpler", sections.baselines.section),
    Section("time", "Time", "Where the time went", sections.time.section),
    Section("timing", "Forecast", "What was forecast, and what it took", sections.timing.section),
    Section("again", "Reproduce", "How to reproduce it", sections.again.section),
    Section("card", "Card", "Model card", sections.card.section),
)

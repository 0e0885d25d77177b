"""The sections of a run's report, in order. One more section is a folder and a row below:

sections/NAME/section.py    `section(run)`: a dictionary of plain data, or None where the run has nothing to say
sections/NAME/page.html     shows it: `it` is the dictionary, `say("...", n=it.n)` every sentence
sections/NAME/ru.po         these sentences in Russian, and any other language in a file of its own
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from svertka.runs.results import Results


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its folder, which is its anchor too, its word in the menu, and its heading."""

    name: str
    menu: str
    heading: str

    @property
    def template(self) -> str:
        """The place of its template."""
        return f"sections/{self.name}/page.html"

    def make(self, run: Results) -> dict[str, Any] | None:
        """What its template takes; None: the page leaves it out."""
        made: dict[str, Any] | None = importlib.import_module(
            f"svertka.reporting.sections.{self.name}.section"
        ).section(run)
        return made


CONTENTS = (
    Section("data", "Data", "What it learned from"),
    Section("check", "Check", "What the check of the data found"),
    Section("preparation", "Preparation", "How a picture is prepared"),
    Section("network", "Network", "The network"),
    Section("choices", "Choices", "What was chosen, and why"),
    Section("ladder", "Ladder", "What the weights it started from are good for"),
    Section("learning", "Learning", "How it learned"),
    Section("scores", "Scores", "All scores"),
    Section("classes", "Classes", "How well it knows each class"),
    Section("confusion", "Confusion", "What it takes for what"),
    Section("mistakes", "Mistakes", "The worst mistakes"),
    Section("explanations", "Inside", "What it looks at, and what is in it"),
    Section("map", "Map", "How the network sees the pictures"),
    Section("failing", "Failures", "Where it fails"),
    Section("calibration", "Calibration", "Is it as right as it is sure?"),
    Section("robustness", "Changes", "How far pictures may change"),
    Section("baselines", "Baselines", "Beside something simpler"),
    Section("time_profile", "Time", "Where the time went"),
    Section("forecast", "Forecast", "What was forecast, and what it took"),
    Section("reproduce", "Reproduce", "How to reproduce it"),
    Section("card", "Card", "Model card"),
)

"""The most confident wrong answers, with their pictures where the run keeps them."""

from __future__ import annotations

from typing import Any

from svertka.evaluation import worst_mistakes
from svertka.reporting import pictures
from svertka.reporting.folder import RunFolder
from svertka.reporting.speech import say
from svertka.reporting.words import COUNTED, percent

PICTURES = 24  # mistakes shown


def section(run: RunFolder) -> dict[str, Any] | None:
    """Cards of mistakes, the surest first; those whose pictures the run keeps, if it keeps any."""
    scored = run.looked_at
    if scored is None:
        return None
    at = {} if run.examples is None else {int(i): k for k, i in enumerate(run.examples.index)}
    worst = worst_mistakes(scored.probability, scored.labels, len(scored.labels)).tolist()
    shown = [row for row in worst if int(scored.index[row]) in at] or worst
    names = run.manifest.classes
    cards = []
    for row in shown[:PICTURES]:
        file, truth, guess = int(scored.index[row]), scored.labels[row], scored.probability[row].argmax()
        kept = run.examples is not None and file in at
        cards.append(
            {
                "picture": pictures.shown(run.examples.pixels[at[file]]) if kept else None,
                "truth": names[truth],
                "guess": names[guess],
                "confidence": percent(float(scored.probability[row, guess]), 100),
                "given": percent(float(scored.probability[row, truth]), 100),
                "path": run.manifest.paths[file],
            }
        )
    return {
        "count": len(worst),
        "on": say(COUNTED[scored.part], n=len(scored.labels)),
        "part": scored.part,
        "n": len(scored.labels),
        "surest": shown[:PICTURES] == worst[:PICTURES],
        "cards": cards,
    }

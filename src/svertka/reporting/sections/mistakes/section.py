"""The most confident wrong answers, with where the network looked where the run keeps that."""

from __future__ import annotations

from typing import Any

from svertka.reporting import pictures
from svertka.reporting.format import COUNTED, percent
from svertka.reporting.i18n.translate import say
from svertka.runs.predictions import Predictions
from svertka.runs.results import Results

AT_ONCE, FEW = 12, 4  # cards; the others unfold, where they are more than a few


def section(run: Results) -> dict[str, Any] | None:
    """Cards of mistakes, the surest first; those whose pictures the run keeps, if it keeps any."""
    scored = run.shown
    if scored is None:
        return None
    worst, shown = run.mistakes()
    cards = [_card(run, scored, row) for row in shown]
    return {
        "count": len(worst),
        "on": say(COUNTED[scored.part], n=len(scored.labels)),
        "surest": shown == worst[: len(shown)],
        "cards": cards,
        "at_once": AT_ONCE if len(cards) > AT_ONCE + FEW else len(cards),
        "explained": sum(card["heat"] is not None for card in cards),
        "layer": str(run.explanations["heat_layer"]) if "heat_layer" in run.explanations else None,
    }


def _card(run: Results, scored: Predictions, row: int) -> dict[str, Any]:
    names, examples = run.manifest.classes, run.examples
    file, truth, guess = int(scored.index[row]), scored.labels[row], scored.probability[row].argmax()
    place = run.place_of(file)
    return {
        "picture": None if place is None or examples is None else pictures.shown(examples.pixels[place]),
        "truth": names[truth],
        "guess": names[guess],
        "confidence": percent(float(scored.probability[row, guess]), 100),
        "given": percent(float(scored.probability[row, truth]), 100),
        "path": run.manifest.paths[file],
        "heat": None if place is None else heat_of(run, place),
    }


def heat_of(run: Results, place: int) -> dict[str, Any] | None:
    """Where the network looked in a picture of the examples: for its answer, and for the strongest other class."""
    album, examples = run.explanations, run.examples
    if examples is None or "heat_place" not in album or place not in album["heat_place"]:
        return None
    k = album["heat_place"].tolist().index(place)
    names, pixels = run.manifest.classes, examples.pixels[place]
    return {
        "own": pictures.heated(pixels, album["heat_own"][k]),
        "own_class": names[album["heat_target"][k]],
        "own_share": percent(float(album["heat_share"][k, 0]), 100),
        "against": pictures.heated(pixels, album["heat_against"][k]),
        "against_class": names[album["heat_rival"][k]],
        "against_share": percent(float(album["heat_share"][k, 1]), 100),
    }

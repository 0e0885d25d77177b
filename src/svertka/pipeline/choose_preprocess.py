"""What must be known before pictures are decoded: their size, their fit, and what the data look like."""

from __future__ import annotations

from typing import Any, cast

from svertka import data as rooms
from svertka.errors import UsageError
from svertka.kinds import image, kind
from svertka.kinds.base import Preprocess
from svertka.kinds.image.preprocess import Fit
from svertka.training.defaults import from_scratch as auto
from svertka.training.recipe import Recipe
from svertka.transfer import local_weights


def first_choices(source: rooms.Source, recipe: Recipe) -> tuple[Recipe, dict[str, str], Any, Preprocess]:
    """What must be known before pictures are decoded: the recipe so far, the reasons, the facts, the preprocessing."""
    facts = facts_of(source)
    recipe, reasons, preprocess = from_scratch(recipe, facts)
    return recipe, reasons, facts, preprocess


def usual_preprocess(recipe: Recipe) -> Preprocess:
    """How nearly all published networks want their pictures: decoding begins with that before one knows theirs."""
    side, fit = recipe.size or local_weights.SIDE, cast("Fit", recipe.fit or "crop")
    return image.Preprocess(side, side, 3, fit, zoom=local_weights.ZOOM if fit == "crop" else 1.0)


def refuse_frozen(recipe: Recipe) -> None:
    """Refuse what only a network that starts from weights has, where training starts from scratch."""
    for name, value in (("head", recipe.head), ("stages", recipe.stages)):
        if value is not None:
            raise UsageError(
                f"--set {name}={value} is for a network that starts from weights, and here training starts from "
                "scratch: name weights by --weights (`svertka weights` lists some), or leave it away."
            )


def from_scratch(recipe: Recipe, facts: Any) -> tuple[Recipe, dict[str, str], Preprocess]:
    """What a network that learns from scratch wants: sizes chosen from the data."""
    recipe, reasons = auto.choose_size(recipe.for_kind(facts.kind), facts)
    return recipe, reasons, kind(facts.kind).preprocess(facts, recipe.get)


def facts_of(source: rooms.Source) -> Any:
    """What is known of the data before any of them is decoded."""
    return kind(source.sample).facts(rooms.survey(source), _training_count(source), len(source.classes))


def _training_count(source: rooms.Source) -> int:
    told = int((source.parts == 1).sum())
    return told or int((source.parts == 0).sum()) or len(source)

"""Sentences about the data and the choices that a person should read before the first step."""

from __future__ import annotations

from svertka.common.messages import message
from svertka.pipeline.context import Context
from svertka.training import class_balance
from svertka.training.schedules.progressive_resizing import SIZES, on_grid


def sentences(context: Context) -> list[str]:
    """What was left aside, how lopsided the classes are, and whether anything can validate."""
    skipped = [one for one in context.data.source.skipped if one.files]
    notes: list[str] = []
    if skipped:
        notes.append(
            message(
                "left-aside",
                "{n} other file was left aside, such as {path}: {reason}.",
                "{n} other files were left aside, such as {path}: {reason}.",
                n=sum(one.files for one in skipped),
                path=skipped[0].path,
                reason=skipped[0].reason,
            )
        )
    lopsided = class_balance.sentence(context.data.labels("train"), context.classes, context.recipe.balance)
    if lopsided is not None:
        notes.append(lopsided)
    if not context.data.count("validation"):
        notes.append(
            message(
                "no-validation",
                "No picture could be set aside for validation: the last epoch is kept, and its accuracy is unknown.",
            )
        )
    grow = context.recipe.grow
    if grow and (context.recipe.epochs or 1) > 1:
        first, second, last = (on_grid(context.image_preprocess.height, size) for size in (*SIZES, 1.0))
        notes.append(
            message(
                "growing",
                "Pictures grow from {n} over {m} to {k} pixels during the first {share} of the steps; until then "
                "validation, on whole ones, lags behind.",
                n=first,
                m=second,
                k=last,
                share=f"{grow:.0%}",
            )
        )
    return [*notes, *_for_backbones(context)]


def _for_backbones(context: Context) -> list[str]:
    """What a person should know about these pictures in front of the networks with weights."""
    if not context.backbones or context.facts is None:
        return []
    facts, needed = context.facts, context.backbones[0].preprocess
    name = " and ".join(b.name for b in context.backbones)
    notes: list[str] = []
    if facts.side < needed.height:
        notes.append(
            message(
                "enlarged",
                "The pictures, {side} pixels on a side, are enlarged to the {size} that {name} works on.",
                side=str(facts.side),
                size=str(needed.height),
                name=name,
            )
        )
    if needed.channels == 3 and not facts.color:
        notes.append(
            message(
                "gray-as-color",
                "{name} learned from color pictures: gray ones are given to it as three equal channels.",
                name=name,
            )
        )
    if needed.channels == 1 and facts.color:
        notes.append(
            message("color-as-gray", "{name} learned from gray pictures: the colors of yours are left out.", name=name)
        )
    return notes

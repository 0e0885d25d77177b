"""Sentences about the data and the choices that a person should read before the first step."""

from __future__ import annotations

from svertka.common.messages import message
from svertka.pipeline.context import Job
from svertka.training import class_balance
from svertka.training.schedules.progressive_resizing import SIZES, on_grid


def sentences(job: Job) -> list[str]:
    """What was left aside, how lopsided the classes are, and whether anything can validate."""
    skipped, notes = job.source.skipped, []
    if skipped:
        notes.append(
            message(
                "left-aside",
                "{n} other file was left aside, such as {path}: {reason}.",
                "{n} other files were left aside, such as {path}: {reason}.",
                n=len(skipped),
                path=skipped[0].path,
                reason=skipped[0].reason,
            )
        )
    lopsided = class_balance.sentence(job.labels("train"), job.manifest.classes, job.recipe.balance)
    if lopsided is not None:
        notes.append(lopsided)
    if not job.count("validation"):
        notes.append(
            message(
                "no-validation",
                "No picture could be set aside for validation: the last epoch is kept, and its accuracy is unknown.",
            )
        )
    if job.recipe.grow and (job.recipe.epochs or 1) > 1:
        first, second, last = (on_grid(job.preprocess.height, size) for size in (*SIZES, 1.0))
        notes.append(
            message(
                "growing",
                "Pictures grow from {n} over {m} to {k} pixels during the first {share} of the steps; until then "
                "validation, on whole ones, lags behind.",
                n=first,
                m=second,
                k=last,
                share=f"{job.recipe.grow:.0%}",
            )
        )
    return notes

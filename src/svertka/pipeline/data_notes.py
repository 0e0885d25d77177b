"""Sentences about the data and the choices that a person should read before the first step."""

from __future__ import annotations

from svertka.data.path_array import counted
from svertka.pipeline.context import Job
from svertka.training import class_balance
from svertka.training.schedules.progressive_resizing import SIZES, on_grid


def sentences(job: Job) -> list[str]:
    """What was left aside, how lopsided the classes are, and whether anything can validate."""
    skipped, notes = job.source.skipped, []
    if skipped:
        left = counted(len(skipped), "other file was", "other files were")
        notes.append(f"{left} left aside, such as {skipped[0].path}: {skipped[0].reason}.")
    lopsided = class_balance.sentence(job.labels("train"), job.manifest.classes, job.recipe.balance)
    if lopsided is not None:
        notes.append(lopsided)
    if not job.count("validation"):
        notes.append(
            "No picture could be set aside for validation: the last epoch is kept, and its accuracy is unknown."
        )
    if job.recipe.grow and (job.recipe.epochs or 1) > 1:
        first, second, last = (on_grid(job.preprocess.height, size) for size in (*SIZES, 1.0))
        notes.append(
            f"Pictures grow from {first} over {second} to {last} pixels during the first {job.recipe.grow:.0%} of the "
            "steps; until then validation, on whole ones, lags behind."
        )
    return notes

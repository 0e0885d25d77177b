"""Curves of loss and accuracy over the epochs."""

from __future__ import annotations

from typing import Any

from svertka.common.messages import id_of
from svertka.reporting.charts import charts
from svertka.reporting.format import UNKNOWN, percent
from svertka.reporting.i18n.translate import decimal, say, translated
from svertka.runs.results import Results

CLOSING = ("onecycle", "cosine")  # schedules that end at rate zero, where the last epoch is the best as a rule
GROWING = "growing"  # the id of the note of progressive resizing


def section(run: Results) -> dict[str, Any] | None:
    """Both drawings, and their numbers; None where no epoch was finished."""
    epochs = list({r.epoch: r for r in run.log.epochs}.values())  # after a resume the last
    if not epochs:
        return None
    shift = 1 if epochs[0].epoch == 0 else 0  # people count from 1
    numbers = [r.epoch + shift for r in epochs]
    recipe = run.recipe.recipe
    best = run.metrics.best_epoch
    if best is None:
        best = next((r.epoch for r in reversed(epochs) if r.best), None)
    best = None if best is None else best + shift

    def lines(key: str) -> list[charts.Line]:
        pairs = ((say("training"), "train", key), (say("validation"), "valid", f"validation_{key}"))
        return [
            charts.Line(label, role, [(n, getattr(r, k)) for n, r in zip(numbers, epochs, strict=True)])
            for label, role, k in pairs
        ]

    growing = [r.text for r in run.log.notes if id_of(r.text) == GROWING]
    steps = [(r.step / r.steps, r.loss) for r in run.log.steps if r.steps and r.loss is not None]
    of = epochs[-1].epochs or numbers[-1]
    faint = charts.Line("", "fine", [(of * share, loss) for share, loss in steps]) if steps else None
    return {
        "loss": charts.curves(
            lines("loss"), title=say("Loss per epoch, training and validation"), best=best, faint=faint
        ),
        "accuracy": charts.curves(
            lines("accuracy"),
            title=say("Accuracy in percent per epoch, training and validation"),
            best=best,
            as_percent=True,
            ceiling=1.0,
            least=0.05,
        ),
        "fine": faint is not None,
        "open": best is not None and best == numbers[-1] > 1 and recipe.get("schedule") not in CLOSING,
        "growing": translated(growing[-1]) if growing else None,
        "smoothed": bool(recipe.get("label_smoothing")),
        "cut": len(numbers) > charts.FEW_EPOCHS,
        "best": best,
        "last": numbers[-1],
        "of": of,
        "rows": [
            {
                "epoch": n,
                "best": n == best,
                "seconds": r.seconds,
                "losses": [_loss(loss) for loss in (r.loss, r.validation_loss)],
                "accuracies": [percent(share, 1000) for share in (r.accuracy, r.validation_accuracy)],
            }
            for n, r in zip(numbers, epochs, strict=True)
        ],
    }


def _loss(number: float | None) -> str:
    return UNKNOWN if number is None else decimal(number, ".4f")

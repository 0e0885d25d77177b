"""The settings: those chosen by svertka with the reason, and the rest."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.reporting.i18n.translate import translated
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any] | None:
    """Every field of the recipe, with the reason where svertka chose it."""
    settings, reasons = run.recipe.recipe, run.recipe.reasons
    if not settings and not reasons:
        return None
    return {
        "chosen": [
            (format.label(k), format.value(settings.get(k, "–")), translated(why)) for k, why in reasons.items()
        ],
        "others": [(format.label(k), format.value(v)) for k, v in settings.items() if k not in reasons],
    }

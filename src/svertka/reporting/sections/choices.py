"""The settings: those chosen by svertka with the reason, and the rest."""

from __future__ import annotations

from typing import Any

from svertka.reporting import words
from svertka.reporting.folder import RunFolder
from svertka.reporting.speech import told


def section(run: RunFolder) -> dict[str, Any] | None:
    """Every field of the recipe, with the reason where svertka chose it."""
    settings, reasons = run.recipe.get("recipe", {}), run.recipe.get("reasons", {})
    if not settings and not reasons:
        return None
    return {
        "chosen": [(words.label(k), words.value(settings.get(k, "–")), told(str(why))) for k, why in reasons.items()],
        "others": [(words.label(k), words.value(v)) for k, v in settings.items() if k not in reasons],
    }

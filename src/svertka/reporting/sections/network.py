"""What was trained."""

from __future__ import annotations

from typing import Any

from svertka.reporting.folder import RunFolder
from svertka.reporting.speech import say


def section(run: RunFolder) -> dict[str, Any]:
    """Name, size, input and output of the network."""
    found = run.model.get("preprocess") or {}
    weights = run.path / "model" / "weights.safetensors"
    return {
        **name_of(run),
        "parameters": run.metrics.get("parameters"),
        "input": [found[k] for k in ("channels", "height", "width") if k in found],
        "classes": len(run.manifest.classes),
        "bytes": weights.stat().st_size if weights.is_file() else None,
    }


def name_of(run: RunFolder) -> dict[str, Any]:
    """The network by name, or by notation where it has no name."""
    name = str(run.model.get("network", {}).get("name") or run.recipe.get("recipe", {}).get("net") or "network")
    if " " in name:
        return {"name": say("network in notation"), "notation": name}
    return {"name": name, "notation": None}

"""What is needed to get the same result."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.reporting.run_results import RunFolder


def section(run: RunFolder) -> dict[str, Any]:
    """The exact command, versions, machine and fingerprints."""
    return {
        "command": format.command(run.recipe.get("command")),
        "seed": run.recipe.get("recipe", {}).get("seed", run.manifest.seed),
        "version": run.recipe.get("svertka"),
        "machine": list(format.rows(run.metrics.get("machine"))),
        "hashes": run.hashes,
    }

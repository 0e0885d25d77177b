"""What is needed to get the same result."""

from __future__ import annotations

from typing import Any

from svertka.reporting import format
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any]:
    """The exact command, versions, machine and fingerprints."""
    return {
        "command": format.command(run.recipe.command),
        "seed": run.recipe.recipe.get("seed", run.manifest.seed),
        "version": run.recipe.svertka,
        "machine": list(format.rows(run.metrics.machine)),
        "hashes": run.hashes,
    }

"""What `svertka check` found before training, with the pictures it is about."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from svertka.reporting.pages import check
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any] | None:
    """The findings, where the run was begun with a check."""
    return None if run.findings is None else check.section(to_builtins(run.findings), run.checked, brief=True)

"""What `svertka check` found before training, with the pictures it is about."""

from __future__ import annotations

from typing import Any

from svertka.reporting.pages import check
from svertka.reporting.run_results import RunFolder


def section(run: RunFolder) -> dict[str, Any] | None:
    """The findings, where the run was begun with a check."""
    return None if run.check is None else check.section(run.check, run.checked, brief=True)

"""What `svertka check` found before training, with the pictures it is about."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from svertka.reporting.pages import check
from svertka.runs.results import Results


def section(run: Results) -> dict[str, Any] | None:
    """The findings, where the run was begun with a check."""
    return None if run.findings is None else check.section(_plain(run.findings), run.checked, brief=True)


def _plain(thing: Any) -> Any:
    """Records as dictionaries; messages stay what they are, which `to_builtins` of msgspec refuses."""
    if isinstance(thing, Struct):
        names = zip(thing.__struct_encode_fields__, thing.__struct_fields__, strict=True)
        return {key: _plain(getattr(thing, name)) for key, name in names}
    return [_plain(one) for one in thing] if isinstance(thing, list) else thing

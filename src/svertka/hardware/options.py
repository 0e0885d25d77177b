"""`--plan key=value,...`: what a person wants to be computed so and not otherwise. No torch: it is parsed at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from svertka.errors import UnknownName, UsageError

LAYOUTS = ("channels_last", "contiguous")
PRECISIONS = ("float32", "tf32", "bfloat16", "float16")
DEVICES = ("cuda", "mps", "cpu")
YES_NO = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}

# what can be set -> the words that it takes; None: a whole number of at least 1
SETTABLE: dict[str, tuple[str, ...] | None] = {
    "device": DEVICES, "layout": LAYOUTS, "precision": PRECISIONS, "threads": None, "compile": ("yes", "no"),
    "pieces": None,
}  # fmt: skip


def parse_plan(requested: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of the plan that are set, in their types.

    >>> parse_plan("layout=channels-last,threads=1,compile=no")
    {'layout': 'channels_last', 'threads': 1, 'compile': False}

    Raises:
        UsageError: no `=`, or a value that is none of the field's.
        UnknownName: the plan has no such field.
    """
    if requested is None:
        return {}
    if isinstance(requested, str):
        pairs = [text.strip().partition("=") for text in requested.split(",") if text.strip()]
        for key, equals, _ in pairs:
            if not equals:
                raise UsageError(f"--plan takes key=value, with commas between; received {key!r}.")
        requested = {key.strip(): value.strip() for key, _, value in pairs}
    return {key: _value(key, value) for key, value in requested.items()}


def _value(key: str, value: Any) -> Any:
    if key not in SETTABLE:
        raise UnknownName("field of the plan", key, SETTABLE)
    words = SETTABLE[key]
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value).lower()
    if words is None:
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"--plan {key} takes a whole number of at least 1; received {value!r}.")
        return int(text)
    if key == "compile":
        if text not in YES_NO:
            raise UsageError(f"--plan compile is yes or no; received {value!r}.")
        return YES_NO[text]
    text = text.replace("-", "_")
    if text not in words:
        raise UsageError(f"--plan {key} is one of {', '.join(words)}; received {value!r}.")
    return text

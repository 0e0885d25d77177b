"""The Russian of sentences that are not messages yet, found by regular expressions. On its way out."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from svertka.reporting.i18n.russian import sentences
from svertka.reporting.i18n.translate import decimal, language, number

OURS = {"reason", "fact", "detail", "part", "other_part"}


def recognized(sentence: str) -> str | None:
    """An English sentence in the language of the page, its values found by the keys' places; None: not known."""
    if language() == "en":
        return sentence
    if sentence in _russian():
        return _PLAIN.format(_russian()[sentence])
    for known in _patterns():
        if values := known.match(sentence):
            ours = {name: recognized(text) or text for name, text in values.items() if name in OURS}
            return _PLAIN.format(known.form, **(values | ours))
    return None


def _plural(n: int) -> int:
    """Which form a number asks for: 0, 1 or 2."""
    if language() == "en":
        return 0 if n == 1 else 1
    if n % 10 == 1 and n % 100 != 11:
        return 0
    return 1 if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else 2


class _Filling(string.Formatter):
    def __init__(self, finish: Callable[[Any], str]) -> None:
        self.finish = finish

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" in format_spec:
            return self.finish(format_spec.split("|")[_plural(int(value))].replace("#", number(int(value))))
        if isinstance(value, float) and format_spec:
            return self.finish(decimal(value, format_spec))
        if isinstance(value, int) and not isinstance(value, bool) and not format_spec:
            return self.finish(number(value))
        return self.finish(value)


_PLAIN = _Filling(str)


@functools.cache
def _russian() -> Mapping[str, str]:
    return sentences()


# -- sentences of the run folder ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A known English sentence as a regular expression, the names and kinds of its values, and its Russian form."""

    expression: re.Pattern[str]
    places: tuple[tuple[str, str], ...]  # (name, format) of each place that is looked for
    form: str

    def match(self, sentence: str) -> dict[str, Any] | None:
        found = self.expression.fullmatch(sentence)
        if found is None:
            return None
        values: dict[str, Any] = {}
        for (name, form), text in zip(self.places, found.groups(), strict=True):
            if text is not None:
                values[name] = _value(text, form)
        return values


def _value(text: str, form: str) -> Any:
    if "|" in form or re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", text):
        return int(text.replace(",", ""))
    return float(text) if form and re.fullmatch(r"[+-]?\d+(\.\d+)?", text) else text


@functools.cache
def _patterns() -> tuple[_Pattern, ...]:
    """Those with places, the most telling (with the longest text of their own) first."""
    rows = [(key, form) for key, form in _russian().items() if "{" in key]
    rows.sort(key=lambda row: -len(re.sub(r"\{[^}]*\}", "", row[0])))
    return tuple(_pattern(key, form) for key, form in rows)


def _pattern(key: str, form: str) -> _Pattern:
    text, places = "", []
    for literal, name, spec, _ in string.Formatter().parse(key):
        text += re.escape(literal)
        if name is None:
            continue
        if spec and "|" in spec:
            text += "(?:" + "|".join(re.escape(s).replace(r"\#", r"([\d,]+)") for s in spec.split("|")) + ")"
            places += [(name, spec)] * spec.count("#")
        else:
            text += "(.+?)"
            places.append((name, spec or ""))
    return _Pattern(re.compile(text, re.DOTALL), tuple(places), form)

"""Every visible sentence of a page passes `say`: English stands in the code and is the key, Russian in a table.

    say("{n:# picture|# pictures} of {k:# class|# classes}", n=1797, k=10)      1,797 pictures of 10 classes
    "{n:# изображение|# изображения|# изображений} {k:# класса|# классов|# классов}"   the row in russian/

- `{n}`: a whole number in the language's form, anything else as it is; `{x:.2f}`: a number with decimals.
- `{n:form|form}`: the form that the number asks for; # stands for the number itself. Unlike gettext, which this follows
  otherwise, a sentence may count several things. English has two forms, Russian three (Unicode CLDR, "Plural Rules").
- `told` is for sentences that training wrote into the run folder, in English, for whoever reads log and JSON there:
  they are recognized by the same keys, and their values go into the Russian form.

A sentence without a Russian form appears in English; a test looks for these. The language is that of the surrounding
`speaking` block, so that it need not be passed through every function.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from svertka.errors import UnknownName

LANGUAGES = ("en", "ru")
NARROW = "\u202f"  # a narrow space that does not break
# places of these names hold words of ours, not of the user's data
OURS = {"reason", "fact", "detail", "part", "other_part"}

_language: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Inside this block `say` and all numbers are in `language`.

    Raises:
        UnknownName: there is no such language.
    """
    if language not in LANGUAGES:
        raise UnknownName("language", language, LANGUAGES)
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def language() -> str:
    """The language of the surrounding `speaking` block."""
    return _language.get()


def say(sentence: str, /, **values: Any) -> str:
    """A sentence in the language of the page, its {places} filled with `values`.

    >>> say("{n:# picture|# pictures} of {k:# class|# classes}", n=1797, k=1)
    '1,797 pictures of 1 class'
    """
    return _PLAIN.format(_form(sentence), **values)


def say_markup(sentence: str, /, **values: Any) -> Markup:
    """The same for templates: the sentence is HTML, what is put into it is escaped."""
    return Markup(_ESCAPING.format(_form(sentence), **values))


def to_say(sentence: str) -> str:
    """Marks a sentence that is kept in a table and said later."""
    return sentence


def told(sentence: str) -> Markup:
    """A sentence of the run folder in the language of the page; in English, and marked so, where it is not known."""
    if language() == "en":
        return escape(sentence)
    known = recognized(sentence)
    return Markup('<span lang="en">{}</span>').format(sentence) if known is None else escape(known)


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


def number(n: int) -> str:
    """A whole number: 1,797 or 1797, 70,000 or 70 000 (Russian leaves four digits together)."""
    if language() == "en":
        return f"{n:,}"
    return f"{n:,}".replace(",", NARROW) if abs(n) >= 10_000 else str(n)


def decimal(x: float, form: str) -> str:
    """A number with decimals: decimal(0.256, ".2f") is 0.26 or 0,26."""
    text = format(x, form)
    return text if language() == "en" else text.replace(",", NARROW).replace(".", ",")


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


_PLAIN, _ESCAPING = _Filling(str), _Filling(escape)


def _form(sentence: str) -> str:
    return sentence if language() == "en" else _russian().get(sentence, sentence)


@functools.cache
def _russian() -> Mapping[str, str]:
    from svertka.reporting.i18n.russian import sentences

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

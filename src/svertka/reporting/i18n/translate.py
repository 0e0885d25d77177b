"""Every visible sentence of a page passes `say`: English stands in the code, any other language in gettext's catalogs.

    say("{n} picture", "{n} pictures", n=1797)      1,797 pictures
    msgid "{n} picture" ... msgstr[2] "{n} изображений"      its row in a ru.po beside the code that says it

Two forms where a sentence counts `n`; which form a number asks for in a language is the `Plural-Forms` of its catalogs.
A place is filled as `str.format` does, numbers as the language writes them. A `Message` of the run folder is found by
its id, which is the row's `msgctxt`. A sentence that no catalog has appears in English; a test looks for these.

The language is that of the surrounding `speaking` block, so that it need not be passed through every function.
"""

from __future__ import annotations

import functools
import gettext
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from svertka.common.messages import Message, fill
from svertka.errors import UnknownName

LANGUAGES = ("en", "ru")
NARROW = "\u202f"  # a narrow space that does not break
CATALOGS = Path(__file__).parents[1]  # they lie anywhere in it, each beside what says its sentences

Sentence = str | tuple[str, str]  # or the forms for one and for many

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


def say(sentence: Sentence, many: str | None = None, /, **values: Any) -> str:
    """A sentence in the language of the page, its {places} filled with `values`; `many` where `n` is not 1.

    >>> say("{n} picture", "{n} pictures", n=1797)
    '1,797 pictures'
    """
    return fill(_form(sentence, many, values), values, _write)


def say_markup(sentence: Sentence, many: str | None = None, /, **values: Any) -> Markup:
    """The same for templates: the sentence is HTML, what is put into it is escaped."""
    return Markup(fill(_form(sentence, many, values), values, lambda *value: escape(_write(*value))))


def to_say(one: str, many: str | None = None) -> Any:
    """Marks a sentence that is kept in a table and said later."""
    return one if many is None else (one, many)


def translated(text: str) -> Markup:
    """A sentence of the run folder in the language of the page; in English, and marked so, where there is no other."""
    if language() == "en":
        return escape(text)
    form = _known(text)
    return Markup('<span lang="en">{}</span>').format(text) if form is None else escape(form)


def known(text: str) -> str:
    """A name of ours, or a message, in the language of the page; as it is where the catalogs do not have it."""
    return text if language() == "en" else _known(text) or text


def number(n: int) -> str:
    """A whole number: 1,797 or 1797, 70,000 or 70 000 (Russian leaves four digits together)."""
    if language() == "en":
        return f"{n:,}"
    return f"{n:,}".replace(",", NARROW) if abs(n) >= 10_000 else str(n)


def decimal(x: float, form: str) -> str:
    """A number with decimals: decimal(0.256, ".2f") is 0.26 or 0,26."""
    text = format(x, form)
    return text if language() == "en" else text.replace(",", NARROW).replace(".", ",")


def _write(value: Any, form: str) -> str:
    if isinstance(value, float) and form:
        return decimal(value, form)
    if isinstance(value, int) and not isinstance(value, bool) and not form:
        return number(value)
    return value if isinstance(value, Markup) else str(value)


def _form(sentence: Sentence, many: str | None, values: Mapping[str, Any]) -> str:
    """The template of a sentence in the language of the page, for this `n`."""
    one, many = (sentence, many) if isinstance(sentence, str) else sentence
    if language() == "en":
        return one if many is None or values["n"] == 1 else many
    forms = catalog(language()).forms.get(one)
    return one if forms is None else catalog(language()).chosen(forms, values)


def _known(text: str) -> str | None:
    """None: no catalog has it."""
    found = catalog(language())
    if not isinstance(text, Message):
        if text in found.forms:
            return found.forms[text][0]
        old: str | None = importlib.import_module("svertka.reporting.i18n.recognize").recognized(text)
        return old
    if (forms := found.forms.get(text.id)) is None:
        return None
    values = {name: known(v) if isinstance(v, Message) else v for name, v in text.values.items()}
    try:
        return fill(found.chosen(forms, values), values, _write)
    except (KeyError, ValueError, TypeError):  # a run folder may come from anywhere: its values need not fit
        return None


@dataclass(frozen=True, slots=True)
class Catalog:
    """`forms`: a sentence, or the id of a message -> its form or forms; `plural`: a number -> which of them."""

    forms: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]

    def chosen(self, forms: tuple[str, ...], values: Mapping[str, Any]) -> str:
        """The form that `n` of the values asks for."""
        return forms[self.plural(values["n"])] if len(forms) > 1 else forms[0]


@functools.cache
def catalog(language: str) -> Catalog:
    """All catalogs of a language as one."""
    import polib

    files = [polib.pofile(str(path)) for path in sorted(CATALOGS.rglob(f"{language}.po"))]
    forms = {
        row.msgctxt or row.msgid: tuple(v for _, v in sorted(row.msgstr_plural.items())) or (row.msgstr,)
        for file in files
        for row in file
    }
    return Catalog(forms, gettext.c2py(files[0].metadata["Plural-Forms"].partition("plural=")[2].rstrip(";")))

"""Which encoding bytes are written in, where nobody says so: the one in which they read like words."""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections.abc import Sequence

from svertka.errors import UsageError

# The system's own on old Windows and DOS: Western, Cyrillic, Central European, Greek, Chinese, Japanese, Korean.
CANDIDATES = ("cp437", "cp850", "cp866", "cp1251", "cp1252", "cp1250", "cp1253", "cp932", "gbk", "cp949")


def guess_encoding(names: Sequence[bytes], candidates: Sequence[str] = CANDIDATES) -> str:
    """The candidate in which names that are no UTF-8 look most like words; the first of those that are as good.

    >>> guess_encoding(["кошки".encode("cp866")]), guess_encoding(["Käse".encode("cp437")])
    ('cp866', 'cp437')
    """
    return min(candidates, key=lambda one: (_oddness(names, one), candidates.index(one)))


def known_encoding(name: str, where: str) -> str:
    """The encoding of that name. Raises UsageError: there is none."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise UsageError(f"{where}: there is no encoding called {name!r}; cp1251 is one.") from None


def _oddness(names: Sequence[bytes], encoding: str) -> float:
    """How little text in this encoding looks like words: signs, alphabets mixed in a word, capitals within one."""
    odd = 0.0 if encoding == "cp437" else 0.3  # the one that the format names
    for name in names:
        try:
            text = name.decode(encoding)
        except UnicodeDecodeError:
            return float("inf")
        for letter in text:
            if ord(letter) > 127:
                odd += _weight(letter)
        for word in re.findall(r"[^\W\d_]+", text):
            odd += 2 * (len({_script(letter) for letter in word}) - 1)
            odd += 2 * sum(two.isupper() and one.islower() for one, two in itertools.pairwise(word))
    return odd


_WESTERN = frozenset("äöüßéèêëàâáçñíìîïóòôúùûÄÖÜÉÑåæøÅÆØąćęłńóśźżčďěňřšťůýž")


def _weight(letter: str) -> float:
    """What one letter beyond ASCII costs: common ones little, signs much."""
    if not letter.isalpha():
        return 3.0
    if "а" <= letter <= "я" or letter == "ё" or _script(letter) in ("HIRAGANA", "KATAKANA"):
        return 0.1
    if "А" <= letter <= "Я" or letter == "Ё":
        return 0.25
    if _script(letter) in ("CJK", "HANGUL", "GREEK"):
        return {"CJK": 0.7, "HANGUL": 0.8, "GREEK": 0.3}[_script(letter)]
    return 0.45 if letter in _WESTERN else 1.0


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ")[0]

"""Numbers and verdicts in plain words. Sentences that several sections need are made here."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from svertka.evaluation import Evaluation
from svertka.records import Interval
from svertka.reporting.i18n.translate import NARROW, decimal, known, language, number, say, to_say

LONGEST = 60  # characters of a name in running text
FEW = 100  # below so many pictures every accuracy comes with a caution
SLIPS = 2.5  # so many mistakes in a class may be chance; from the third on they are its weakness
WIDE = 0.05  # and so it does when the interval reaches this far to a side
UNKNOWN = "–"

PART = {  # what the pictures of a part are called, in a table
    "train": to_say("training"),
    "validation": to_say("validation"),
    "test": to_say("test"),
    "undecided": to_say("no part yet"),
}
COUNTED = {  # so many pictures of a part
    "train": to_say("{n} training picture", "{n} training pictures"),
    "validation": to_say("{n} validation picture", "{n} validation pictures"),
    "test": to_say("{n} test picture", "{n} test pictures"),
}
ON = {  # a result on so many of them
    "train": to_say("on {n} training picture", "on {n} training pictures"),
    "validation": to_say("on {n} validation picture", "on {n} validation pictures"),
    "test": to_say("on {n} test picture", "on {n} test pictures"),
}


def digits(n: int) -> int:
    """Decimals of a percentage of `n` cases: no more than the interval leaves room for."""
    return 0 if n < 100 else 1 if n < 5000 else 2


def percent(share: float | None, n: int = 100) -> str:
    """A share of `n` cases as text, never rounded up to 100 % or down to 0 %.

    >>> percent(0.98333, 360), percent(1.0, 360), percent(0.9999, 360)
    ('98.3\u202f%', '100\u202f%', '99.9\u202f%')
    """
    if share is None:
        return UNKNOWN
    if share in (0, 1):
        return f"{share:.0%}".replace("%", f"{NARROW}%")
    d = digits(n)
    least = 10.0**-d
    return decimal(min(max(100 * share, least), 100 - least), f".{d}f") + f"{NARROW}%"


def interval(found: Interval) -> str:
    """Its bounds as text: 96.4 – 99.2 %."""
    d = digits(found.n)
    return f"{decimal(100 * found.low, f'.{d}f')}\u2009–\u2009{decimal(100 * found.high, f'.{d}f')}{NARROW}%"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(0.25), duration(9.94), duration(75), duration(7260)
    ('0.25 s', '9.9 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return say("{x} s", x=decimal(seconds, ".2f" if seconds < 1 else ".1f"))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return say("{m} min {s} s", m=minutes, s=rest)
    return say("{h} h {m} min", h=minutes // 60, m=minutes % 60)


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text, its middle left out where it is too long; the end of a path says the most."""
    if len(text) <= longest:
        return text
    head = longest // 3
    return f"{text[:head]}…{text[-(longest - head - 1) :]}"


def quoted(name: str) -> str:
    """A class name inside a sentence; isolated, so that a right-to-left name leaves the sentence in order."""
    left, right = "“”" if language() == "en" else "«»"
    return f"{left}{isolated(shorten(name))}{right}"


def chance(p: float) -> str:
    """A p-value as text, with no more digits than it deserves.

    >>> chance(0.2345), chance(0.0123), chance(1e-9)
    ('0.23', '0.012', '< 0.001')
    """
    return f"< {decimal(0.001, 'g')}" if p < 0.001 else decimal(p, ".2f" if p >= 0.1 else ".2g")


def isolated(name: str) -> str:
    """A name that leaves the direction of the text around it alone, where <bdi> cannot stand."""
    return f"\u2068{name}\u2069"


def value(thing: Any) -> str:
    """Any setting as text."""
    if thing is None:
        return say("none")
    if isinstance(thing, bool):
        return say("yes") if thing else say("no")
    if isinstance(thing, float):
        return decimal(thing, ".4g")
    if isinstance(thing, int):
        return number(thing) if abs(thing) >= 10_000 else str(thing)
    if isinstance(thing, Mapping):
        return ", ".join(f"{label(str(k))} {value(v)}" for k, v in thing.items()) or say("none")
    if isinstance(thing, (list, tuple)):
        return ", ".join(map(value, thing)) or say("none")
    return str(thing)


def label(key: str) -> str:
    """A key of JSON as a label: weight_decay -> weight decay."""
    return known(key.replace("_", " "))


def size(count: int) -> str:
    """Bytes as a person says them.

    >>> size(2600), size(44_700_000)
    ('2.6 kB', '44.7 MB')
    """
    if count >= 1e9:
        return say("{x} GB", x=decimal(count / 1e9, ".2f"))
    if count >= 1e6:
        return say("{x} MB", x=decimal(count / 1e6, ".1f"))
    return say("{x} kB", x=decimal(count / 1e3, ".1f"))


def command(found: Any) -> str:
    """The command line, from a string or a list of arguments."""
    return shlex.join(map(str, found)) if isinstance(found, (list, tuple)) else str(found or "")


def verdict(part: str, found: Evaluation, weakness: list[str]) -> list[str]:
    """Two or three sentences: how good it is, against what, and (`weakness`) where it is weakest."""
    n, right, expect = found.accuracy.n, percent(found.accuracy.value, found.accuracy.n), interval(found.accuracy)
    sentences = [
        say(
            (
                "On {n} test picture, scored once at the end, the network is right in {right} of the cases; for new "
                "pictures of the same kind expect {expect} (95\u202f% confidence)."
            ),
            (
                "On {n} test pictures, scored once at the end, the network is right in {right} of the cases; for new "
                "pictures of the same kind expect {expect} (95\u202f% confidence)."
            ),
            n=n,
            right=right,
            expect=expect,
        )
        if part == "test"
        else say(
            (
                "On {n} validation picture that it did not learn from, the network is right in {right} of the cases; "
                "for new pictures of the same kind expect {expect} (95\u202f% confidence)."
            ),
            (
                "On {n} validation pictures that it did not learn from, the network is right in {right} of the "
                "cases; for new pictures of the same kind expect {expect} (95\u202f% confidence)."
            ),
            n=n,
            right=right,
            expect=expect,
        )
    ]
    baseline = {"name": quoted(found.majority_class), "share": percent(found.majority, n)}
    if found.accuracy.low > found.majority:
        sentences.append(
            say("Always answering {name}, the most frequent class, would be right in {share}.", **baseline)
        )
        return sentences + (weakness or [say("No class is surely worse than the others.")])
    return [
        *sentences,
        say(
            "Always answering {name}, the most frequent class, would be right in {share}: these pictures do not show "
            "that the network does better than that.",
            **baseline,
        ),
    ]


def weakest(part: str, found: Evaluation) -> list[str]:
    """A sentence on the worst class, where it is surely worse: its whole interval lies below the mean."""
    behind = {
        name: s
        for name, s in found.per_class.items()
        if s.recall is not None and s.high < found.accuracy.value and s.support * (1 - s.recall) >= SLIPS
    }
    if not behind:
        return []
    name, worst = min(behind.items(), key=lambda item: item[1].recall or 0)
    return [
        say(
            "It is weakest on {name}: of {pictures}, {share} are found.",
            name=quoted(name),
            pictures=say(COUNTED[part], n=worst.support),
            share=percent(worst.recall, worst.support),
        )
    ]


def caution(found: Interval) -> str:
    """What too few pictures mean for this accuracy; empty where they are enough.

    Two accuracies, each uncertain by h, surely differ only beyond sqrt(2) h; h shrinks with the root of n.
    """
    half = (found.high - found.low) / 2
    if found.n >= FEW and half <= WIDE:
        return ""
    return say(
        (
            "{n} picture is few: the accuracy is known to about ±{half} only, and another network tried on as "
            "many pictures must differ by more than about {both} to count as better or worse. Four times as many "
            "pictures would halve that."
        ),
        (
            "{n} pictures are few: the accuracy is known to about ±{half} only, and another network tried on as "
            "many pictures must differ by more than about {both} to count as better or worse. Four times as many "
            "pictures would halve that."
        ),
        n=found.n,
        half=_points(half),
        both=_points(math.sqrt(2) * half),
    )


def _points(share: float) -> str:
    return say("{n} point", "{n} points", n=round(100 * share))


def rows(thing: Any, under: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as (label, value) pairs."""
    if isinstance(thing, Mapping):
        for key, inner in thing.items():
            name = f"{under} {label(str(key))}".strip()
            if isinstance(inner, Mapping) and inner:
                yield from rows(inner, name)
            else:
                yield name, value(inner)
    elif thing:
        yield under or say("machine"), value(thing)

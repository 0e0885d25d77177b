"""Numbers and verdicts in plain words. Every sentence of the report that depends on numbers is made here."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from svertka.evaluation import Evaluation
from svertka.records import Interval

NARROW = "\u202f"  # a narrow space that does not break, between a number and its unit
LONGEST = 60  # characters of a name in running text
FEW = 100  # below so many pictures every accuracy comes with a caution
SLIPS = 2.5  # so many mistakes in a class may be chance; from the third on they are its weakness
WIDE = 0.05  # and so it does when the interval reaches this far to a side


def digits(n: int) -> int:
    """Decimals of a percentage of `n` cases: no more than the interval leaves room for."""
    return 0 if n < 100 else 1 if n < 5000 else 2


def percent(share: float | None, n: int = 100) -> str:
    """A share of `n` cases as text, never rounded up to 100 % or down to 0 %.

    >>> percent(0.98333, 360), percent(1.0, 360), percent(0.9999, 360)
    ('98.3\u202f%', '100\u202f%', '99.9\u202f%')
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", f"{NARROW}%")
    d = digits(n)
    least = 10.0**-d
    return f"{min(max(100 * share, least), 100 - least):.{d}f}{NARROW}%"


def interval(found: Interval) -> str:
    """Its bounds as text: 96.4 – 99.2 %."""
    d = digits(found.n)
    return f"{100 * found.low:.{d}f}\u2009–\u2009{100 * found.high:.{d}f}{NARROW}%"


def count(n: int, noun: str, plural: str = "") -> str:
    """A number and its noun: 1 picture, 1,797 pictures."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(0.25), duration(9.94), duration(75), duration(7260)
    ('0.25 s', '9.9 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text, its middle left out where it is too long; the end of a path says the most."""
    if len(text) <= longest:
        return text
    head = longest // 3
    return f"{text[:head]}…{text[-(longest - head - 1) :]}"


def quoted(name: str) -> str:
    """A class name inside a sentence; isolated, so that a right-to-left name leaves the sentence in order."""
    return f"“\u2068{shorten(name)}\u2069”"


def value(thing: Any) -> str:
    """Any setting as text."""
    if thing is None:
        return "none"
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    if isinstance(thing, float):
        return f"{thing:.4g}"
    if isinstance(thing, int):
        return f"{thing:,}" if abs(thing) >= 10_000 else str(thing)
    if isinstance(thing, Mapping):
        return ", ".join(f"{label(str(k))} {value(v)}" for k, v in thing.items()) or "none"
    if isinstance(thing, (list, tuple)):
        return ", ".join(map(value, thing)) or "none"
    return str(thing)


def label(key: str) -> str:
    """A key of JSON as a label: weight_decay -> weight decay."""
    return key.replace("_", " ")


def size(count: int) -> str:
    """Bytes as a person says them.

    >>> size(2600), size(44_700_000)
    ('2.6 kB', '44.7 MB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def command(found: Any) -> str:
    """The command line, from a string or a list of arguments."""
    return shlex.join(map(str, found)) if isinstance(found, (list, tuple)) else str(found or "")


def verdict(part: str, found: Evaluation, weakness: list[str]) -> list[str]:
    """Two or three sentences: how good it is, against what, and (`weakness`) where it is weakest."""
    n = found.accuracy.n
    seen = (
        f"On {count(n, 'test picture')}, scored once at the end,"
        if part == "test"
        else f"On {count(n, f'{part} picture')} that it did not learn from,"
    )
    sentences = [
        f"{seen} the network is right in {percent(found.accuracy.value, n)} of the cases; for new pictures "
        f"of the same kind expect {interval(found.accuracy)} (95{NARROW}% confidence)."
    ]
    baseline = f"Always answering {quoted(found.majority_class)}, the most frequent class, would be right in "
    baseline += percent(found.majority, n)
    if found.accuracy.low > found.majority:
        sentences.append(baseline + ".")
        sentences += weakness
    else:
        sentences.append(baseline + ": these pictures do not show that the network does better than that.")
    return sentences


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
    share = percent(worst.recall, worst.support)
    return [f"It is weakest on {quoted(name)}: of {count(worst.support, f'{part} picture')}, {share} are found."]


def caution(found: Interval) -> str:
    """What too few pictures mean for this accuracy; empty where they are enough.

    Two accuracies, each uncertain by h, surely differ only beyond sqrt(2) h; h shrinks with the root of n.
    """
    half = (found.high - found.low) / 2
    if found.n >= FEW and half <= WIDE:
        return ""
    return (
        f"{count(found.n, 'picture')} are few: the accuracy is known to about ±{_points(half)} only, and "
        f"another network tried on as many pictures must differ by more than about "
        f"{_points(math.sqrt(2) * half)} to count as better or worse. Four times as many pictures would "
        "halve that."
    )


def _points(share: float) -> str:
    return f"{100 * share:.0f} points"

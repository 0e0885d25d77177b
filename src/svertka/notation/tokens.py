"""One word of the notation -> one layer: the letters name it, the numbers behind them say the rest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from svertka.errors import NotationError
from svertka.notation import syntax
from svertka.notation.syntax import Node, Padding, Sides
from svertka.notation.vocabulary import ACTIVATIONS, ALIASES, WORDS

MOST_DIGITS = 7  # of one number


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the line, in lower case; `kind` is times, open, close, bar or word."""

    kind: str
    text: str
    start: int
    end: int


def read_word(token: Token, line: str) -> Node:
    """One word as a layer.

    Raises:
        NotationError: an unknown word, or one whose numbers do not read.
    """
    letters = re.match(r"[^\W\d_]*", token.text)
    name = token.text if token.text in WORDS else letters.group() if letters else ""
    name = ALIASES.get(name, name)
    if name not in WORDS or name in ("res", "cat"):
        raise NotationError(_unknown(token.text, name), line, token.start, token.end)
    used = len(token.text) if token.text in WORDS or not letters else letters.end()
    word = _Numbers(name, token, line, used)
    node = _READERS[name](word)
    word.finish()
    return node


def _unknown(text: str, letters: str) -> str:
    near = difflib.get_close_matches(letters, [*WORDS, *ALIASES], n=1, cutoff=0.6) if letters else []
    hint = f"Did you mean {near[0]}{text[len(letters) :]}?" if near else "The words are " + ", ".join(WORDS) + "."
    return f"There is no layer called {text!r}. {hint}"


class _Numbers:
    """What follows the letters of a word, read piece by piece."""

    def __init__(self, name: str, token: Token, line: str, at: int) -> None:
        self.name, self.token, self.line, self.at = name, token, line, at

    @property
    def place(self) -> dict[str, int]:
        """Where the word stands, for the node."""
        return {"start": self.token.start, "end": self.token.end}

    def take(self, pattern: str) -> str | None:
        """The text that matches here, or None; reading goes on behind it."""
        match = re.compile(pattern, re.ASCII).match(self.token.text, self.at)
        if not match:
            return None
        self.at = match.end()
        return match.group()

    def whole(self, what: str, digits: str | None, least: int = 1) -> int:
        """A whole number that must be there, at least `least`."""
        if not digits:
            raise self.error(f"{self.token.text} lacks the {what}; write it like {WORDS[self.name].example}")
        if len(digits) > MOST_DIGITS:
            raise self.error(f"The {what} of {self.token.text} has more than {MOST_DIGITS} digits")
        if int(digits) < least:
            raise self.error(f"The {what} of {self.token.text} must be at least {least}")
        return int(digits)

    def sides(self, what: str, least: int = 1) -> Sides:
        """3 or 1x7."""
        text = self.take(r"\d+(x\d+)*")
        return (
            tuple(self.whole(what, number, least) for number in text.split("x")) if text else (self.whole(what, None),)
        )

    def decimal(self, usual: float) -> float:
        """A decimal number, or the usual one where there is none."""
        text = self.take(r"\d*\.?\d+")
        return float(text) if text else usual

    def window(self, padding: Padding, *, stride: Sides = syntax.ONE, allowed: str = "spd") -> _Window:
        """Stride, padding, dilation and groups in any order, each at most once."""
        window = _Window(stride, padding)
        seen: set[str] = set()
        while letter := self.take(r"same|valid|v|c|[spdg](?=\d)"):
            name = {"s": "stride", "d": "dilation", "g": "groups", "c": "rounding"}.get(letter, "padding")
            if name in seen:
                raise self.error(f"{self.token.text} gives its {name} twice")
            if len(letter) == 1 and letter not in allowed + "v":
                raise self.error(f"{self.token.text} cannot have {name}")
            seen.add(name)
            if letter == "s":
                window.stride = self.sides(name)
            elif letter == "d":
                window.dilation = self.sides(name)
            elif letter == "g":
                window.groups = self.whole(name, self.take(r"\d+"))
            elif letter == "c":
                window.ceil = True
            elif letter == "p":
                window.padding = self.sides(name, least=0)
            else:
                window.padding = "same" if letter == "same" else "valid"
        return window

    def finish(self) -> None:
        """Nothing may be left of the word."""
        rest = self.token.text[self.at :]
        if rest:
            start = self.token.start + self.at
            raise NotationError(
                f"{self.token.text} does not read from {rest!r} on; write it like "
                f"{WORDS[self.name].example}.", self.line, start, self.token.end,
            )  # fmt: skip

    def error(self, message: str) -> NotationError:
        return NotationError(message + ".", self.line, self.token.start, self.token.end)


@dataclass(slots=True)
class _Window:
    """How a kernel slides, while its suffixes are being read."""

    stride: Sides
    padding: Padding
    dilation: Sides = syntax.ONE
    groups: int = 1
    ceil: bool = False


def _conv(word: _Numbers) -> Node:
    kernel = word.sides("kernel size and the number of filters")
    filters = word.whole("number of filters", word.take(r"\d+") if word.take("-") else None)
    w = word.window("same", allowed="spdg")
    return syntax.Conv(kernel, filters, w.stride, w.padding, w.dilation, w.groups, **word.place)


def _depthwise(word: _Numbers) -> Node:
    kernel = word.sides("kernel size")
    w = word.window("same")
    return syntax.Depthwise(kernel, w.stride, w.padding, w.dilation, **word.place)


def _pool(word: _Numbers) -> Node:
    size = word.sides("size of the window")
    w = word.window("valid", stride=size, allowed="spc")
    return syntax.Pool(word.name.removesuffix("pool") or "max", size, w.stride, w.padding, w.ceil, **word.place)


def _linear(word: _Numbers) -> Node:
    units = word.take(r"\d+")
    return syntax.Linear(word.whole("number of outputs", units) if units else None, **word.place)


def _local_norm(word: _Numbers) -> Node:
    return syntax.LocalNorm(word.whole("number of neighboring maps", word.take(r"\d+")), **word.place)


def _dropout(word: _Numbers) -> Node:
    share = word.decimal(0.5)
    if not share < 1:
        raise word.error(f"{word.token.text} drops everything: the share must be below 1, as in dropout0.2")
    return syntax.Dropout(share, **word.place)


def _activation(word: _Numbers) -> Node:
    return syntax.Activation(word.name, word.decimal(0.01) if word.name == "lrelu" else None, **word.place)


_READERS: dict[str, Callable[[_Numbers], Node]] = {
    "conv": _conv,
    "dw": _depthwise,
    **dict.fromkeys(("pool", "avgpool", "minpool", "sumpool"), _pool),
    "gap": lambda word: syntax.GlobalPool("avg", **word.place),
    "gmp": lambda word: syntax.GlobalPool("max", **word.place),
    "flatten": lambda word: syntax.Flatten(**word.place),
    "fc": _linear,
    "bn": lambda word: syntax.BatchNorm(**word.place),
    "lrn": _local_norm,
    "dropout": _dropout,
    "id": lambda word: syntax.Identity(**word.place),
    **{word.name: _activation for word in ACTIVATIONS},
}

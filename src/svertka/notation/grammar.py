"""A line of notation -> its syntax tree, by recursive descent.

    network = layer+        layer = word | times layer | times "(" layer+ ")" | "(" layer+ ")"
                                  | "res(" layer+ ["|" layer+] ")" | "cat(" layer+ {"|" layer+} ")"

Case does not matter (the lectures write CONV3-64), nor do blanks and line ends between words. What cannot be
right whatever the input is refused here; whether the sizes fit is asked in `placing`.
"""

from __future__ import annotations

import re

from svertka.errors import NotationError
from svertka.notation import syntax
from svertka.notation.syntax import Node
from svertka.notation.tokens import MOST_DIGITS, Token, read_word
from svertka.notation.vocabulary import WORDS

MOST_LAYERS = 10_000  # in one network, repetitions counted: far beyond any real one, and quick to refuse
MOST_DEPTH = 50  # brackets within brackets

_TOKENS = re.compile(r"(?P<times>\d+\s*\*)|(?P<open>\()|(?P<close>\))|(?P<bar>\|)|(?P<word>[^\s()|]+)")


def parse(text: str) -> syntax.Network:
    """The syntax tree of a line of notation.

    >>> str(parse("CONV3-64 relu 2*(conv3-64s1 relu) maxpool2 flatten fc"))
    'conv3-64 relu 2*(conv3-64 relu) pool2 flatten fc'

    Raises:
        NotationError: the line does not read; the error points at the token.
    """
    return _Parser(text).network()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = re.sub(r"\s", " ", text)  # as long as it was, but one line, for the pointer of an error
        self.tokens = [
            Token(str(m.lastgroup), m.group().lower(), m.start(), m.end()) for m in _TOKENS.finditer(self.text)
        ]
        self.at = 0

    def network(self) -> syntax.Network:
        if not self.tokens:
            raise NotationError(
                "The notation is empty; a network reads like conv3-8 relu pool2 flatten fc.", self.text, 0, 0
            )
        layers = self.layers(depth=0)
        if token := self.peek():
            reason = (
                "closes a bracket that was never opened"
                if token.kind == "close"
                else "stands outside res( ) and cat( )"
            )
            raise self.error(f"{token.text!r} {reason}.", token)
        if sum(map(count, layers)) > MOST_LAYERS:
            raise self.error(f"The network has more than {MOST_LAYERS:,} layers.", self.tokens[0])
        return syntax.Network(layers, self.text)

    def layers(self, depth: int, bracket: Token | None = None) -> tuple[Node, ...]:
        """Layers up to a bar or a closing bracket (without an open bracket: up to the end); at least one."""
        found: list[Node] = []
        while (token := self.peek()) and token.kind not in ("close", "bar"):
            found += self.layer(depth)
        if token is None and bracket:
            raise self.error("This bracket is never closed.", bracket)
        if not found:
            where = token or self.tokens[-1]
            raise self.error("There is no layer here; a branch that changes nothing is written id.", where)
        return tuple(found)

    def layer(self, depth: int) -> tuple[Node, ...]:
        token = self.tokens[self.at]
        if depth > MOST_DEPTH:
            raise self.error(f"Brackets are nested deeper than {MOST_DEPTH}.", token)
        self.at += 1
        if token.kind == "times":
            return (self.repeat(token, depth),)
        if token.kind == "open":
            (body,) = self.branches(token, depth, most=1)
            return body
        if token.text in ("res", "cat"):
            return (self.group(token, depth),)
        return (read_word(token, self.text),)

    def repeat(self, token: Token, depth: int) -> syntax.Repeat:
        digits = token.text.rstrip("* \t\r\n")
        if len(digits) > MOST_DIGITS or not 1 <= int(digits) <= MOST_LAYERS:
            raise self.error(f"{digits}* must repeat between 1 and {MOST_LAYERS:,} times.", token)
        follows = self.peek()
        if follows is None or follows.kind in ("close", "bar"):
            raise self.error(f"{token.text} needs layers to repeat, as in 2*(conv3-64 relu).", token)
        body = self.layer(depth + 1)
        node = syntax.Repeat(int(digits), body, start=token.start, end=self.tokens[self.at - 1].end)
        if count(node) > MOST_LAYERS:
            raise self.error(f"{token.text} makes more than {MOST_LAYERS:,} layers.", token)
        return node

    def group(self, token: Token, depth: int) -> Node:
        bracket = self.peek()
        if bracket is None or bracket.kind != "open":
            raise self.error(f"{token.text} needs layers in brackets, as in {WORDS[token.text].example}.", token)
        self.at += 1
        branches = self.branches(bracket, depth, most=2 if token.text == "res" else None)
        end = self.tokens[self.at - 1].end
        if token.text == "cat":
            return syntax.Concat(branches, start=token.start, end=end)
        return syntax.Residual(branches[0], *branches[1:], start=token.start, end=end)

    def branches(self, bracket: Token, depth: int, most: int | None) -> tuple[tuple[Node, ...], ...]:
        """Layers between bars, up to the bracket that closes this one."""
        found = [self.layers(depth + 1, bracket)]
        while (token := self.peek()) and token.kind == "bar":
            if len(found) == most:
                room = "res( ) has a body and at most one skip" if most == 2 else "only res( ) and cat( ) have branches"
                raise self.error(f"This '|' is one too many: {room}.", token)
            self.at += 1
            found.append(self.layers(depth + 1, bracket))
        self.at += 1
        return tuple(found)

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def error(self, message: str, token: Token) -> NotationError:
        return NotationError(message, self.text, token.start, token.end)


def count(node: Node) -> int:
    """How many layers a node stands for, repetitions counted."""
    if isinstance(node, syntax.Repeat):
        return node.times * sum(map(count, node.body))
    if isinstance(node, syntax.Residual):
        return sum(map(count, (*node.body, *node.skip)))
    if isinstance(node, syntax.Concat):
        return sum(count(layer) for branch in node.branches for layer in branch)
    return 1

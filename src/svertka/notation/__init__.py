"""A network as one line of text, in the lectures' words: `conv3-64 relu pool2 flatten fc`.

    text  --parse-->  tree  --place-->  shapes  --build-->  Net
    tree  --str-->  text

`words` is the vocabulary; docs/notation.md tells the language to a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from svertka.notation.grammar import parse
from svertka.notation.shapes import Placed, place
from svertka.notation.syntax import Network
from svertka.notation.vocabulary import WORDS, Word

if TYPE_CHECKING:
    from svertka.notation.builder import build

__all__ = ["WORDS", "Network", "Placed", "Word", "build", "parse", "place"]


def __getattr__(name: str) -> Any:
    """`build` needs torch, reading a line does not: it is fetched when it is first used."""
    if name == "build":
        from svertka.notation import builder

        return builder.build
    raise AttributeError(f"module 'svertka.notation' has no attribute {name!r}")

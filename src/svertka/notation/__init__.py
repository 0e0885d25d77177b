"""A network as one line of text, in the lectures' words: `conv3-64 relu pool2 flatten fc`.

    text  --parse-->  tree  --place-->  shapes  --build-->  Net
    tree  --str-->  text

`words` is the vocabulary; docs/notation.md tells the language to a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from svertka.notation.grammar import parse
from svertka.notation.placing import Placed, place
from svertka.notation.tree import Network
from svertka.notation.words import WORDS, Word

if TYPE_CHECKING:
    from svertka.notation.building import build

__all__ = ["WORDS", "Network", "Placed", "Word", "build", "parse", "place"]


def __getattr__(name: str) -> Any:
    """`build` needs torch, reading a line does not: it is fetched when it is first used."""
    if name == "build":
        from svertka.notation import building

        return building.build
    raise AttributeError(f"module 'svertka.notation' has no attribute {name!r}")

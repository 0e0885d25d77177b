"""A network as one line of text, in the lectures' words: `conv3-64 relu pool2 flatten fc`.

    text  --parse-->  tree  --place-->  shapes  --build-->  Net
    tree  --str-->  text

`vocabulary` is the vocabulary; docs/notation.md tells the language to a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svertka.common.lazy import lazy_face
from svertka.notation.grammar import parse
from svertka.notation.shapes import Placed, place
from svertka.notation.syntax import Network
from svertka.notation.vocabulary import WORDS, Word

__all__ = ["WORDS", "Network", "Placed", "Word", "build", "parse", "place"]

if TYPE_CHECKING:
    from svertka.notation.builder import build
else:  # building needs torch, reading a line does not
    __getattr__, __dir__ = lazy_face(__name__, {"svertka.notation.builder": ("build",)})

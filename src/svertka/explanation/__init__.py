"""Why this class, and what is in a network; any module, which is given back as it was.

heats(net, x, "grad-cam")            where it looked: a `Heat` for each input; METHODS has the others
deletion, insertion, randomisation   is the explanation itself true?
arithmetic(net, x, layer, at)        one number, opened until multiplications and sums are left
feature_maps, filters, field, effective_field, exciting, imagined, nearest    what is in it: see `seeing`, `peaks`
"""

from __future__ import annotations

from svertka.explanation.arithmetic import Arithmetic, Term, arithmetic
from svertka.explanation.borrowed import bare, borrowed
from svertka.explanation.gradients import attributions
from svertka.explanation.heat import Heat
from svertka.explanation.methods import METHODS, Method, heats, method
from svertka.explanation.peaks import Patch, exciting
from svertka.explanation.places import layers
from svertka.explanation.seeing import (
    effective_field,
    embeddings,
    feature_maps,
    field,
    filters,
    imagined,
    nearest,
    seen,
)
from svertka.explanation.truth import Curve, Randomised, deletion, insertion, randomisation, rank_correlation

__all__ = [
    "METHODS", "Arithmetic", "Curve", "Heat", "Method", "Patch", "Randomised", "Term", "arithmetic", "attributions",
    "bare", "borrowed", "deletion", "effective_field", "embeddings", "exciting", "feature_maps", "field", "filters",
    "heats", "imagined", "insertion", "layers", "method", "nearest", "randomisation", "rank_correlation", "seen",
]  # fmt: skip

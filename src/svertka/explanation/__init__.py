"""Why this class, and what is in a network; any module, which is given back as it was.

heats(net, x, "grad-cam")            where it looked: a `Heat` for each input; METHODS has the others
deletion, insertion, randomization   is the explanation itself true?
arithmetic(net, x, layer, at)        one number, opened until multiplications and sums are left
feature_maps, filters, field, effective_field, exciting, imagined, nearest    what is in it: see `seeing`, `peaks`
"""

from __future__ import annotations

from svertka.explanation.arithmetic import Arithmetic, Term, arithmetic
from svertka.explanation.faithfulness import Curve, Randomized, deletion, insertion, randomization, rank_correlation
from svertka.explanation.feature_visualization import (
    effective_field,
    embeddings,
    feature_maps,
    field,
    filters,
    imagined,
    nearest,
    seen,
)
from svertka.explanation.frozen_network import bare, frozen_network
from svertka.explanation.heatmap import Heat
from svertka.explanation.layers import layers
from svertka.explanation.methods.gradients import attributions
from svertka.explanation.methods.registry import METHODS, Method, heats, method
from svertka.explanation.top_patches import Patch, exciting

__all__ = [
    "METHODS", "Arithmetic", "Curve", "Heat", "Method", "Patch", "Randomized", "Term", "arithmetic", "attributions",
    "bare", "deletion", "effective_field", "embeddings", "exciting", "feature_maps", "field", "filters",
    "frozen_network", "heats", "imagined", "insertion", "layers", "method", "nearest", "randomization",
    "rank_correlation", "seen",
]  # fmt: skip

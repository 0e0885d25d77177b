"""Where a model fails on pictures of a store: for the run folder, and for `evaluate`. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from svertka.data import Store
from svertka.evaluation.failing import failing
from svertka.evaluation.pictures import columns


def failures(
    probabilities: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    paths: Sequence[str],
    store: Store,
    *,
    learned: np.ndarray | None = None,
    group_by: str | None = None,
) -> dict[str, Any]:
    """What `failing` says of predictions (m, c) for the pictures `index` (m,) of a store; `labels` (n,) of all.

    Args:
        learned: uint8 (k, 16), digests of the pictures that the model learned from.
        group_by: the pattern on the path that says whom a picture belongs to.
    """
    names = [paths[i] for i in index.tolist()]
    truth = labels[index]
    groups = None
    if group_by is not None:
        pattern = re.compile(group_by)
        matches = [pattern.search(name) for name in names]
        groups = [m.group(m.re.groups > 0) or "" if m is not None else "" for m in matches]
    facts = columns(
        store.facts[index], store.sizes[index], store.digests[index], names, [classes[k] for k in truth.tolist()],
        groups=groups, learned=learned,
    )  # fmt: skip
    return failing(probabilities, truth, classes, names, facts)

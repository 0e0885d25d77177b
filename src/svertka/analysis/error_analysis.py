"""Where a model fails on pictures of a store: for the run folder, and for `evaluate`. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from svertka.data import Store
from svertka.data.sources.groups import Groups
from svertka.evaluation.errors.error_report import failing
from svertka.evaluation.errors.slice_features import columns


def failures(
    probabilities: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    paths: Sequence[str],
    store: Store,
    *,
    learned: np.ndarray | None = None,
    groups: Groups | None = None,
) -> dict[str, Any]:
    """What `failing` says of predictions (m, c) for the pictures `index` (m,) of a store; `labels` (n,) of all.

    Args:
        learned: uint8 (k, 16), digests of the pictures that the model learned from.
        groups: of all files of the store: whom each belongs to, such as a patient.
    """
    names = [paths[i] for i in index.tolist()]
    truth = labels[index]
    whose = None
    if groups is not None:
        whose = [groups.names[k] if k >= 0 else "" for k in groups.number[index].tolist()]
    facts = columns(
        store.kind.slices(store.columns_of(index)), store.digests[index], names, [classes[k] for k in truth.tolist()],
        groups=whose, learned=learned,
    )  # fmt: skip
    return failing(probabilities, truth, classes, names, facts)

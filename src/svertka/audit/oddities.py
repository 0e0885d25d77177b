"""Samples unlike the rest of their set, by the rules of their kind (`Kind.rules`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svertka.data import Store


@dataclass(frozen=True, slots=True)
class Oddity:
    """One sample that stands out: its place in the source, a word for how, and what was measured."""

    index: int
    kind: str
    detail: str


def find_oddities(store: Store) -> tuple[Oddity, ...]:
    """The samples that stand out, kind by kind; each is listed under the first rule that fits."""
    index = np.flatnonzero(store.readable)
    if not len(index):
        return ()
    columns, rules = store.columns_of(index), store.kind.rules
    found: dict[int, Oddity] = {}
    for rule in rules:
        for row, detail in rule.find(columns):
            i = int(index[row])
            found.setdefault(i, Oddity(i, rule.name, detail))
        store.release()  # of the columns that this rule has looked at
    order = {rule.name: k for k, rule in enumerate(rules)}
    return tuple(sorted(found.values(), key=lambda o: (order[o.kind], o.index)))

"""Kinds of samples: pictures, series. `base.Kind` is the contract; a kind is a folder here and a row below."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from svertka.errors import RecipeError, UnknownName, UsageError
from svertka.kinds.base import Array, Augment, Kind, Preprocess

# name -> the module that defines KIND; imported when the kind is first met
KINDS: dict[str, str] = {
    "image": "svertka.kinds.image.kind",
    "series": "svertka.kinds.series.kind",
}


@cache
def kind(name: str) -> Kind:
    """A kind by its name.

    Raises:
        UnknownName: there is none.
    """
    if name not in KINDS:
        raise UnknownName("kind of sample", name, KINDS)
    found: Kind = importlib.import_module(KINDS[name]).KIND
    return found


def preprocess_from(values: Mapping[str, Any]) -> Preprocess:
    """The record that `Preprocess.to_dict` of any kind was made of; those of pictures need not name their kind.

    Raises:
        RecipeError: a field is missing, unknown or out of range, or there is no such kind.
    """
    name = values.get("kind", "image")
    if name not in KINDS:
        raise RecipeError(f"there is no kind of sample {name!r}; known are {', '.join(KINDS)}.")
    found: Preprocess = kind(name).Preprocess.from_dict(values)
    return found


def augment_for(names: Iterable[str]) -> type[Augment]:
    """The augmentation of the first kind that knows all these settings; of the first kind where none does."""
    wanted = set(names)
    return next((a for a in (kind(k).Augment for k in KINDS) if wanted <= a.settings().keys()), kind("image").Augment)


def kind_of_array(sample: Array) -> Kind:
    """The kind whose samples are stored like this one.

    Raises:
        RecipeError: there is none.
    """
    for name in KINDS:
        if kind(name).stores(sample):
            return kind(name)
    raise RecipeError(f"no kind of sample is stored as {sample.dtype} {sample.shape}.")


def require(name: str, verb: str) -> None:
    """Refuse what the kind of that name has no ground for yet.

    Raises:
        UsageError: `verb` is none of its `abilities`; says which kinds have it.
    """
    how = kind(name)
    if verb not in how.abilities:
        able = " and ".join(kind(other).several for other in KINDS if verb in kind(other).abilities)
        raise UsageError(f"`svertka {verb}` works on {able} so far, and not on {how.several}.")

"""What the recipe says about varying pictures, as `svertka.data` takes it."""

from __future__ import annotations

from dataclasses import fields

from svertka.kinds.image.augment.augment import Augment
from svertka.training.recipe import Recipe

# the recipe's fields that vary pictures; each is a field of Augment too
VARYING = tuple(f.name for f in fields(Augment) if f.name not in ("untouched", "shift_down"))


def variation(recipe: Recipe) -> Augment:
    """The recipe's augmentation; what is still open counts as none.

    >>> variation(Recipe(flip_horizontal=True, rotate=10, untouched=0.2))
    Augment(flip_horizontal=True, rotate=10, untouched=0.2)
    """
    values = {name: getattr(recipe, name) for name in VARYING}
    return Augment(untouched=recipe.untouched, **{k: v for k, v in values.items() if v})


def unvaried(recipe: Recipe) -> Recipe:
    """The same recipe with every augmentation switched off."""
    off = {name: False if isinstance(getattr(Augment(), name), bool) else 0.0 for name in VARYING}
    return recipe.replace(**off)


def in_words(recipe: Recipe) -> str:
    """The recipe's augmentation in the words of --set; "" where there is none.

    >>> in_words(Recipe(flip_horizontal=True, shift=0.1))
    'flip_horizontal=yes shift=0.1'
    """
    values = ((name, getattr(recipe, name)) for name in VARYING)
    return " ".join(f"{name}=yes" if value is True else f"{name}={value:g}" for name, value in values if value)

"""Names that runs of earlier versions hold, and what they are called today: the one place where they are translated."""

from __future__ import annotations

from typing import Any

FIELDS = {  # of a recipe
    "optimiser": "optimizer", "rate": "learning_rate", "layer_rate": "layer_decay", "batch": "batch_size",
    "clip": "clip_grad_norm", "average": "ema_decay", "flip": "flip_horizontal", "upend": "flip_vertical",
    "erase": "random_erasing", "trivial": "trivial_augment",
}  # fmt: skip
WORDS = {  # of heads, rungs, simpler answers and facts
    "neighbours": "neighbors",
    "nearest neighbours": "nearest neighbors",
    "nearest neighbours, varied views": "nearest neighbors, varied views",
    "nearest neighbours in colour": "nearest neighbors in color",
    "border colour": "border color",
}
_PLACES = {  # where such words may stand, by the file's name: each step is a member, "*" all of a list
    "recipe.json": (("recipe", "head"), ("network", "head", "kind"), ("start", "network", "head", "kind")),
    "model.json": (("network", "head", "kind"),),
    "metrics.json": (("ladder", "*", "rung"),),
    "baselines.json": (("rows", "*", "name"),),
    "failing.json": (("slices", "shown", "*", "fact"),),
}


def renew(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """The content of the JSON file `name`, in today's names; what is not as it should be stays as it is.

    >>> renew("recipe.json", {"recipe": {"rate": 0.1, "head": "neighbours"}})
    {'recipe': {'learning_rate': 0.1, 'head': 'neighbors'}}
    """
    if name == "recipe.json":
        content |= {k: _fields(content[k]) for k in ("recipe", "reasons") if isinstance(content.get(k), dict)}
    for place in _PLACES.get(name, ()):
        _reword(content, *place)
    return content


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    return {FIELDS.get(name, name): value for name, value in values.items()}


def _reword(content: Any, step: str, *further: str) -> None:
    if step == "*":
        for one in content if isinstance(content, list) else ():
            _reword(one, *further)
    elif isinstance(content, dict) and step in content:
        if further:
            _reword(content[step], *further)
        elif isinstance(content[step], str):
            content[step] = WORDS.get(content[step], content[step])

"""Which networks with weights a training starts from: those that were named, or those of use that lie here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from svertka.errors import RunError, SvertkaError, UsageError
from svertka.kinds.image.preprocess import Fit
from svertka.pipeline.context import Context, leaves_ladder
from svertka.runs import layout
from svertka.training.freeze import named_parts
from svertka.training.recipe import Recipe
from svertka.transfer.backbones import SMALL, Backbone, open_backbone, same_pixels, with_stages
from svertka.transfer.local_weights import OPENED
from svertka.transfer.model_selection import allowed, strongest


def open_backbones(what: Sequence[str | Path], recipe: Recipe, *, unasked: bool, pictures: int = 0) -> list[Backbone]:
    """The backbones behind names and files, prepared for the size and fit that the recipe asks for.

    Args:
        what: what `open_backbone` takes.
        recipe: its `net` names the network of a file; its `size` and `fit` replace the backbone's own, its `stages`
            say how many stages the head sees.
        unasked: the files were found, not named: the strongest for these pictures and this time are taken, and those of
            no use are passed over.
        pictures: that will be looked at.

    Raises:
        WeightsError, RunError, UnknownName, UsageError: as `open_backbone` does, for what was named.
        UnknownName: `freeze` names what a network has not.
        ShapeError: a network cannot take pictures of that size.
        UsageError: two that were named want their pictures prepared differently or hold the same weights, `stages` asks
            for more than there are, or `freeze` and `head` ask for what cannot be.
    """
    found = _of_use(what, recipe, pictures) if unasked else _named(what, recipe)
    for backbone in found:
        if recipe.freeze not in (None, "auto"):
            named_parts(backbone.net, recipe.freeze)
    if leaves_ladder(recipe):
        if len(found) > 1:
            names = " and ".join(backbone.name for backbone in found)
            raise UsageError(f"--freeze {recipe.freeze} needs one network to start from, not {names}.")
        if recipe.head in ("neighbors", "netvlad"):
            raise UsageError(f"--set head={recipe.head} stands on a frozen network: leave --freeze away.")
    return found


def _named(what: Sequence[str | Path], recipe: Recipe) -> list[Backbone]:
    found: list[Backbone] = []
    for one in what:
        backbone = _fitted(open_backbone(one, net=recipe.net), recipe)
        if found and not same_pixels(found[0].preprocess, backbone.preprocess):
            raise UsageError(
                f"{found[0].name} and {backbone.name} want their pictures prepared differently: name one of them."
            )
        if any(backbone.digest == other.digest for other in found):
            raise UsageError(f"{one} holds the same weights as {found[0].source}: name each once.")
        found.append(backbone)
    return found


def _of_use(files: Sequence[str | Path], recipe: Recipe, pictures: int) -> list[Backbone]:
    """Of files that lie here: those for photos, with as many stages as were asked for, that the time allows."""
    found: dict[str, Backbone] = {}
    short: UsageError | None = None
    for file in files:
        if len(found) == OPENED:
            break
        try:
            backbone = _fitted(open_backbone(file, net=recipe.net), recipe)
        except UsageError as why:  # too few stages
            short = why
        except SvertkaError:
            continue
        else:
            if backbone.preprocess.height > SMALL:
                found.setdefault(backbone.digest, backbone)
    if short is not None and not found:
        raise short
    return strongest(list(found.values()), pictures, allowed(recipe.minutes))


def _fitted(backbone: Backbone, recipe: Recipe) -> Backbone:
    own = backbone.preprocess
    side, fit = recipe.size, cast("Fit", recipe.fit or own.fit)
    changed = dataclasses.replace(
        own, height=side or own.height, width=side or own.width, fit=fit, zoom=own.zoom if fit == "crop" else 1.0
    )
    backbone.net.check(changed.shape[1:])
    if recipe.stages is not None:
        backbone = with_stages(backbone, recipe.stages)
    return dataclasses.replace(backbone, preprocess=changed, spec={**backbone.spec, "shape": list(changed.shape)})


def reopen_backbones(context: Context, rows: Sequence[Mapping[str, str]]) -> list[Backbone]:
    """The networks that a run began with, by what recipe.json has of `Backbone.told`.

    Raises:
        RunError: the weights are others now, or recipe.json is damaged.
    """
    recipe, path = context.recipe, context.run.path
    try:
        found = [open_backbones([row["weights"]], recipe.replace(net=row["name"]), unasked=False)[0] for row in rows]
        same = [b.digest for b in found] == [row["digest"] for row in rows]
    except (KeyError, TypeError) as why:
        raise RunError(f"{path / layout.RECIPE} is damaged: {why!r}.") from why
    if not same:
        raise RunError(f"{path} was begun with other weights than there are now.")
    return found

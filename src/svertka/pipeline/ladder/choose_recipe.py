"""What the recipe leaves open where training starts from weights: by the ladder, or by the usual loop."""

from __future__ import annotations

from svertka.common.messages import message
from svertka.kinds.image.defaults import GLYPH
from svertka.pipeline.context import Context
from svertka.training.defaults import from_scratch
from svertka.training.recipe import Recipe
from svertka.transfer.finetune import gentle

OF_USE = message(
    "weights.of-use",
    "of the weights at hand, chosen by accuracy on ImageNet and by how long looking at all pictures takes here",
)


def choose(context: Context) -> Context:
    """The recipe of a new run that starts from weights, with the reasons for what it says."""
    names = " and ".join(str(b.spec["name"]) for b in context.backbones)
    of_weights = message("weights.named", "the weights are of this network") if context.recipe.weights else OF_USE
    recipe = context.recipe.replace(net=names, size=context.image_preprocess.height, fit=context.image_preprocess.fit)
    size = message("size.weights", "{names} learned from pictures of this size", names=names)
    context = context.choose((recipe, {"net": of_weights, "size": size}))
    if not context.on_ladder:
        return context.choose(gentle(context.recipe, context.data.count("train")))
    return context.choose(vary(context.recipe, context.facts)) if context.facts is not None else context


def vary(recipe: Recipe, facts: from_scratch.Facts) -> tuple[Recipe, dict[str, str]]:
    """What the recipe leaves open about varying pictures, and why."""
    small = (recipe.size or facts.side) <= GLYPH
    choices = {
        "flip_horizontal": (
            facts.color,
            message("flip.weights", "color photographs keep their meaning when mirrored; gray pictures may be signs"),
        ),
        "test_flip": (
            facts.color if (flip := recipe.get("flip_horizontal")) is None else flip,
            message("test-flip.weights", "as the rungs that learn have learned"),
        ),
        "shift": (0.1 if small else 0.08, message("shift.weights", "objects are not all centered")),
        "scale": (
            0.0 if small else 0.15,
            message("scale.weights", "objects come near and far; small pictures are not resampled"),
        ),
    }
    filled = {k: v for k, (v, _) in choices.items() if recipe.get(k) is None}
    return recipe.replace(**filled), {k: choices[k][1] for k in filled}

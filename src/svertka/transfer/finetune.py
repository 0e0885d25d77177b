"""The upper rungs: the last stages, or all of them, learn too, deeper layers faster than shallow ones.

The head starts at its optimum on the frozen features, so that the first steps do not tear those features up (Kumar et
al. 2022, arXiv:2202.10054). Each part's rate is a fixed share of the next one's (Howard and Ruder 2018,
arXiv:1801.06146). Batch norms keep the statistics of the million pictures while yours are too few to measure better
ones; a whole network that sees thousands measures them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from svertka.blocks import Net
from svertka.common.messages import message
from svertka.data.loading.loader import Loader
from svertka.hardware.plan import Plan
from svertka.optimizers.registry import OPTIMIZERS
from svertka.records import Epoch, Note, Step
from svertka.training import loop
from svertka.training.layer_decay import depths
from svertka.training.recipe import Recipe
from svertka.training.state import State

ENOUGH = 5_000  # training pictures from which on batch norms are measured anew, and a larger batch pays
Tell = Callable[[Step | Epoch | Note], bool]


def gentle(recipe: Recipe, pictures: int) -> tuple[Recipe, dict[str, str]]:
    """What the recipe leaves open, for a network that knows much already; and the reason of each choice."""
    batch, row = 64 if pictures >= ENOUGH else 32, OPTIMIZERS[recipe.optimizer or "adamw"]
    choices: dict[str, tuple[Any, str]] = {
        "batch_size": (
            batch,
            message(
                "batch.steps", "{steps} steps a pass over {n} pictures", steps=max(1, pictures // batch), n=pictures
            ),
        ),
        "optimizer": (
            "adamw",
            message("optimizer.adamw", "its steps are of one size in every layer, whatever network the weights are of"),
        ),
        "learning_rate": (
            row.peak_fine_tuning,
            message("rate.fine-tuning", "a part of what fresh weights bear, so that what they know is not lost"),
        ),
        "layer_decay": (
            0.6,
            message(
                "layer-decay.fine-tuning", "the deeper a layer, the less of what it knows fits your classes already"
            ),
        ),
        "weight_decay": (row.decay_fine_tuning, message("decay.fine-tuning", "the usual decay")),
        "momentum": (0.9, message("momentum.fine-tuning", "as is usual")),
        "label_smoothing": (
            0.1,
            message("label-smoothing", "keeps the network from betting everything on one class (arXiv:1512.00567)"),
        ),
    }
    filled = {k: v for k, (v, _) in choices.items() if getattr(recipe, k) is None}
    return recipe.replace(**filled), {k: choices[k][1] for k in filled}


def begin(net: Net, recipe: Recipe, plan: Plan, last: int | None, *, measure: bool = False) -> State:
    """A state in which the head and the `last` parts learn (all where None), and nothing else moves.

    A pool that has weights of its own (NetVLAD) learns with the head.

    Args:
        net: is taken over.
        recipe: optimizer, rates and decay.
        plan: where and in which layout it computes.
        last: how many parts, counted from the head.
        measure: batch norms of what learns measure their statistics anew.
    """
    parts = depths(net)
    learning = [module for part in (parts if last is None else parts[-last:]) for module in part]
    net.requires_grad_(False)
    for module in (net.head, net.pool, *learning):
        module.requires_grad_(True)
    frozen = [module for part in parts for module in part if module not in learning]
    norms = [] if measure else [module for module in net.modules() if isinstance(module, _BatchNorm)]
    state = loop.begin(net, recipe.replace(freeze="none"), plan)
    state.frozen = (*frozen, *norms)
    return state


def finetune(state: State, train: Loader, validation: Loader | None, recipe: Recipe, plan: Plan, tell: Tell) -> bool:
    """Train to the end of the recipe, or until `tell`, called with every record, says to stop.

    Returns:
        Whether an epoch was finished. Then the network (its running average, where the recipe wants one) has the
        weights of the best, and is in evaluation mode.

    Raises:
        NotFinite: the loss is no longer a number.
    """
    with plan.torch_settings():
        for record in loop.fit(state, train, validation, recipe, plan):
            if tell(record):
                break
    if state.best_tensors:
        state.measured_net.load_state_dict(state.best_tensors)
        state.measured_net.eval()
    return bool(state.history)  # the first weights count as best until an epoch is over (divergence.py)

"""The upper rungs: the last stages, or all of them, learn too, deeper layers faster than shallow ones.

The head starts at its optimum on the frozen features, so that the first steps do not tear those features up
(Kumar et al. 2022, arXiv:2202.10054). Each part's rate is a fixed share of the next one's (Howard and Ruder
2018, arXiv:1801.06146). Batch norms keep the statistics of the million pictures: yours are too few to measure
better ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.modules.batchnorm import _BatchNorm

from svertka.blocks import Net
from svertka.data.loader import Loader
from svertka.records import Epoch, Note, Step
from svertka.training import loop
from svertka.training.adam import Adam
from svertka.training.depth import depths
from svertka.training.plan import Plan
from svertka.training.recipe import Recipe
from svertka.training.state import State

RATE = 1e-3  # peak, of the last stage; the head has twice that
SHARE = 0.6  # of the next deeper part's rate
DECAY = 0.02


def begin(net: Net, plan: Plan, last: int | None, share: float | None = None) -> State:
    """A state in which the head and the `last` parts learn (all where None), and nothing else moves.

    Each part learns at `share` of the rate of the one above it, or at the usual one.
    """
    parts = depths(net)
    learning = parts if last is None else parts[-last:]
    net.requires_grad_(False)
    net.head.requires_grad_(True)
    net = net.to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
    groups = [{"params": list(net.head.parameters()), "share": 2.0}]
    for distance, modules in enumerate(reversed(learning)):
        parameters = [p for module in modules for p in module.parameters()]
        for p in parameters:
            p.requires_grad_(True)
        groups.append({"params": parameters, "share": (share or SHARE) ** distance})
    optimiser = Adam([{**g, "weight_decay": DECAY} for g in groups if g["params"]], lr=RATE, decoupled=True)
    frozen = [module for part in parts[: len(parts) - len(learning)] for module in part]
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    return State(net, optimiser, None, (*frozen, *norms))


def finetune(
    net: Net, train: Loader, validation: Loader | None, recipe: Recipe, plan: Plan, last: int | None
) -> Iterator[Step | Epoch | Note | Net]:
    """Train, yielding records, and in the end the network with the weights of its best epoch."""
    state = begin(net, plan, last, recipe.layer_rate)
    yield from loop.fit(state, train, validation, recipe, plan)
    state.net.load_state_dict(state.best_tensors)
    yield state.net.eval()

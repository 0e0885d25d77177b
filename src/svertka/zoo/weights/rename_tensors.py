"""Weights of another library, or of our own file, into one of our networks.

A source of weights is a mapping from names to tensors. Rename rules turn its names into ours; then every
tensor must find its place and every place its tensor, in the right shape. Two things may be absent without a
word: `num_batches_tracked`, a counter that old files lack and no result depends on, and auxiliary heads that
this network was built without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from svertka.errors import WeightsError
from svertka.zoo.registry import Renames

SHOWN = 3  # differences that an error spells out before it counts the rest
HEADS = ("head.", "aux.")  # where the number of classes shows


def rename(name: str, rules: Renames) -> str:
    """A tensor's name in our words: each rule in turn is applied to what the one before made of it.

    >>> rename("layer1.0.bn2.bias", ((r"^layer(\\d)", r"stages.\\1"), (r"bn(\\d)", r"norm\\1")))
    'stages.1.0.norm2.bias'
    """
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def rename_all(tensors: Mapping[str, Tensor], rules: Renames) -> dict[str, Tensor]:
    """All tensors under our names.

    Raises:
        WeightsError: two of them would get the same name.
    """
    ours: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for theirs, tensor in tensors.items():
        name = rename(theirs, rules)
        if name in ours:
            raise WeightsError(f"The weights hold {name} twice, as {origin[name]} and as {theirs}.")
        ours[name], origin[name] = tensor, theirs
    return ours


def unroll(prefix: str, *parts: tuple[str, int]) -> Renames:
    """Rules for layers that the source numbers in one row and that we keep in parts of so many layers each.

    >>> rename("features.4.bias", unroll("features", ("stem", 3), ("stages.0", 2)))
    'stages.0.1.bias'
    """
    places = [f"{part}.{n}." for part, length in parts for n in range(length)]
    return tuple((rf"^{prefix}\.{n}\.", place) for n, place in enumerate(places))


def load_state(
    net: nn.Module, tensors: Mapping[str, Tensor], renames: Renames = (), *, drop_head: bool = False
) -> tuple[str, ...]:
    """Fill a network, wholly or not at all; returns the names of the tensors that were left as they were.

    Values are copied and take the network's dtype and device. A network without storage (see `zoo.empty_net`)
    adopts the tensors themselves, on their device: nothing is initialized, nothing copied.

    Args:
        net: the network; untouched when an error is raised.
        tensors: the weights under their own names.
        renames: the rules from their names to ours.
        drop_head: keep the network's own values for those layers of its heads that differ, as the last one
            does when the number of classes does.

    Raises:
        WeightsError: a tensor is missing, extra, or of another shape; names the first such with both shapes.
    """
    given = rename_all(tensors, renames)
    expected = net.state_dict()
    differs = differences(expected, given)
    in_head = [name for name in differs if name.startswith(HEADS)]
    if len(differs) > (len(in_head) if drop_head else 0):
        raise WeightsError(sentence(differs, only_head=len(in_head) == len(differs)))

    dropped = {layer_of(name) for name in in_head}
    filling = {
        name: given[name].to(own.dtype)
        for name, own in expected.items()
        if name in given and layer_of(name) not in dropped
    }
    empty = any(own.is_meta for own in expected.values())
    net.load_state_dict(filling, strict=False, assign=empty)
    if empty:
        initialize_rest(net, next((t.device for t in filling.values()), torch.device("cpu")))
    return tuple(name for name in expected if name not in filling)


def layer_of(name: str) -> str:
    """The layer that a tensor belongs to: head.6.weight -> head.6."""
    return name.rpartition(".")[0]


def differences(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """What keeps weights from fitting: tensor name -> what is wrong with it, in the network's order."""
    has_aux = any(name.startswith("aux.") for name in expected)
    wrong: dict[str, str] = {}
    for name, own in expected.items():
        if name not in given:
            if not name.endswith(".num_batches_tracked"):
                wrong[name] = f"{name} ({dims(own)}) is missing from the weights"
        elif given[name].shape != own.shape:
            wrong[name] = f"{name} is {dims(given[name])} in the weights and {dims(own)} in the network"
    for name, theirs in given.items():
        if name not in expected and (has_aux or not name.startswith("aux.")):
            wrong[name] = f"{name} ({dims(theirs)}) has no place in the network"
    return wrong


def dims(tensor: Tensor) -> str:
    """A shape as people write it.

    >>> dims(torch.zeros(64, 3, 7, 7)), dims(torch.tensor(1.0))
    ('64x3x7x7', 'one number')
    """
    return "x".join(map(str, tensor.shape)) or "one number"


def sentence(differs: Mapping[str, str], *, only_head: bool) -> str:
    """The differences for a person: the first few in full, then how many more."""
    first = "; ".join(list(differs.values())[:SHOWN])
    more = f"; and {len(differs) - SHOWN} more" if len(differs) > SHOWN else ""
    hint = " Only the head differs: drop_head=True leaves it out, to be learned anew." if only_head else ""
    return f"The weights are of another network: {first}{more}.{hint}"


def initialize_rest(net: nn.Module, device: torch.device) -> None:
    """Give storage to whatever is still without, each layer initialized in its own default way."""
    for module in net.modules():
        own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        left = [name for name, tensor in own.items() if tensor.is_meta]
        if left == ["num_batches_tracked"]:
            module.num_batches_tracked = torch.zeros((), dtype=torch.long, device=device)
        elif left:
            for name in left:  # `to_empty` would import a symbolic algebra, 0.3 s, to learn their sizes
                fresh = torch.empty(own[name].shape, dtype=own[name].dtype, device=device)
                setattr(module, name, nn.Parameter(fresh) if isinstance(own[name], nn.Parameter) else fresh)
            module.reset_parameters()  # type: ignore[operator]  # every torch layer that has weights has it

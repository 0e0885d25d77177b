"""How a network is called, and how it is built again: by its structure, or by name where there is none.

A description names a network and its options, for people and for what reads a run. What is built is the structure
beside it (structure.py): a network of the zoo may change, models that were trained before do not. Models of format 1
had no structure; those are built by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from svertka import zoo
from svertka.blocks import Ensemble, Neighbors, Net, put_head, put_netvlad, put_stages, stages_seen
from svertka.errors import RunError
from svertka.models.structure import rebuild


def describe(net: Net, what: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """How to build a network again without its weights, as JSON: {"name", "shape", "options"}.

    With "head" where another head was put in (`blocks.put_head`), "pool" where NetVLAD was (`blocks.put_netvlad`),
    "stages" where the pool sees several of them (`blocks.put_stages`), and "together", a list of such descriptions,
    where several networks stand side by side (`blocks.Ensemble`).

    Args:
        net: the network.
        what: its name in the zoo, or the line of notation it was built from.
        shape: of one input, (channels, *size).
    """
    spec: dict[str, Any] = {"name": what, "shape": list(shape), "options": dict(net.options)}
    if isinstance(net, Ensemble):
        spec["together"] = [dict(part) for part in net.specs]
    if stages_seen(net) > 1:
        spec["stages"] = stages_seen(net)
    if net.made_pool is not None:
        spec["pool"] = dict(net.made_pool)
    if net.made_head is not None:
        spec["head"] = dict(net.made_head)
    return spec


def build(spec: Mapping[str, Any], classes: int, structure: Mapping[str, Any] | None = None) -> Net:
    """The network that `describe` gives, with fresh weights: of this structure, or by name where it is None.

    Raises:
        RunError: the structure is damaged, of a newer version, or of another number of classes.
        UnknownName, ShapeError, NotationError: there is no such network by name, any more.
    """
    if structure is None:
        return _by_name(spec, classes)
    net = rebuild(structure)
    if not isinstance(net, Net) or not {"stem", "stages", "pool", "head"} <= set(net._modules):
        raise RunError(f"The structure is that of a part ({type(net).__name__}), not of a whole network.")
    outputs = _outputs(net.head)
    if outputs not in (None, classes):
        raise RunError(f"The network gives {outputs} numbers and there are {classes} classes.")
    net.options = dict(spec["options"])
    net.made_head, net.made_pool = spec.get("head"), spec.get("pool")
    return net


def _by_name(spec: Mapping[str, Any], classes: int) -> Net:
    shape = tuple(spec["shape"])
    if parts := spec.get("together"):
        plain = ((0.0,) * shape[0], (1.0,) * shape[0])  # the true ranges are among the weights
        net: Net = Ensemble([_by_name(part, classes) for part in parts], [plain] * len(parts), parts)
    elif spec["options"]:
        net = zoo.fresh_net(spec["name"], classes=classes, channels=shape[0], **spec["options"])
    else:
        net = zoo.make(spec["name"], shape, classes)
    if "stages" in spec:
        put_stages(net, spec["stages"])
    if "pool" in spec:
        put_netvlad(net, **spec["pool"])
    return put_head(net, classes=classes, **spec["head"]) if "head" in spec else net


def _outputs(head: nn.Module) -> int | None:
    """How many classes a head tells apart; None where it has no layer that says so."""
    for layer in reversed(list(head.modules())):
        match layer:
            case nn.Linear():
                return layer.out_features
            case nn.Conv1d() | nn.Conv2d():
                return layer.out_channels
            case Neighbors():
                return layer.classes
    return None

"""The networks to start from: a published one by name, a file of weights, or an earlier run.

Whatever it is becomes a `Backbone`: the network, how its pictures are prepared, and how to build it again.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from svertka.blocks import Ensemble, Net, put_head, put_netvlad, put_stages, stages_seen
from svertka.errors import UsageError
from svertka.kinds import image
from svertka.kinds.image import Preprocess
from svertka.models import Model, describe
from svertka.zoo import variant
from svertka.zoo.weights.catalog import load_weights, path_of, published, range_of, recognize

CLUSTERS, LENGTH = 64, 4096  # of NetVLAD: at most so many, as long as its vector stays about so short
SMALL = 40  # backbones of smaller pictures saw them whole, without a margin cut off
ZOOM = 0.875  # 224 of 256 pixels: the share of the shorter side that ImageNet's networks see


@dataclass(frozen=True)
class Backbone:
    """A network to start from.

    name        what reports call it
    net         in evaluation mode, with the head it came with; never changed
    preprocess  how the pictures it learned from were prepared
    spec        how to build it again, without a head put in (see `bundle.describe`)
    source      what was opened
    """

    name: str
    net: Net
    preprocess: Preprocess
    spec: Mapping[str, Any]
    source: str = ""

    @cached_property
    def digest(self) -> str:
        """A hash of the frozen part: structure, and every weight and buffer outside the head."""
        digest = hashlib.sha256(json.dumps(self.spec, sort_keys=True, default=str).encode())
        digest.update(frozen_digest(self.net).encode())
        return digest.hexdigest()

    @property
    def told(self) -> dict[str, str]:
        """What recipe.json says of it, for a resume that opens it again."""
        return {"weights": self.source, "name": str(self.spec["name"]), "digest": self.digest}

    def with_head(self, kind: str, width: int, classes: int, **options: Any) -> Net:
        """A copy with a fresh head of `blocks.HEADS` on its embedding of `width` numbers, and no auxiliary ones."""
        net = copy.deepcopy(self.net)
        if hasattr(net, "aux"):  # they tell other classes apart, and stand on maps that are to stay as they are
            net.aux = nn.ModuleDict()
        return put_head(net, kind, width, classes, **options)


def frozen_digest(net: Net) -> str:
    """A hash of all weights and buffers of stem, stages and pool."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        if not name.startswith(("head.", "aux.")):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def open_backbone(what: str | Path, *, net: str | None = None) -> Backbone:
    """A backbone by what a person may call it.

    Args:
        what: a run folder or its model/, a file of weights, or a name of `svertka weights` (which may fetch it).
        net: the network of the zoo that a file is for; recognized by its tensors where None.

    Raises:
        WeightsError: the file is missing, damaged, or of no network of the zoo, or of another than `net`.
        RunError: the folder holds no model.
        UnknownName: there is no such network or set of weights.
        UsageError: the name says nothing without a network, or a run is of another than `net`.
    """
    if Path(what).is_dir():
        model = Model.load(what)
        if net not in (None, model.spec["name"]):
            raise UsageError(f"{what} is a run of {model.spec['name']}, not of {net}: leave --net away.")
        if not isinstance(model.preprocess, image.Preprocess):
            raise UsageError(
                f"{what} is a run of {model.preprocess.kind}: training starts from networks of pictures alone."
            )
        spec = {k: v for k, v in model.spec.items() if k != "head"}
        name = _called(model.spec["name"], model.net)
        return Backbone(name, model.net, model.preprocess, spec, str(Path(what).resolve()))
    if str(what) == "imagenet" and net is None:
        raise UsageError("--weights imagenet needs the name of a network: --net resnet50, for example.")
    path, row = path_of(what, net or str(what), None), published(net if str(what) == "imagenet" and net else what)
    if row is not None and net in (None, row.network):
        name, library = row.network, row.library
    else:
        name, library = recognize(path, only=net)
    loaded = load_weights(name, path, classes=1, drop_head=True).eval()
    size = row.size if row else variant(name).size
    mean, std = range_of(row, library)
    channels = next(m.in_channels for m in loaded.modules() if isinstance(m, nn.Conv2d))
    preprocess = Preprocess(
        size, size, channels, "crop", mean[:channels], std[:channels],
        zoom=row.size / row.resize if row else ZOOM if size > SMALL else 1.0,
        interpolation=row.interpolation if row else "bilinear",
    )  # fmt: skip
    return Backbone(name, loaded, preprocess, describe(loaded, name, preprocess.shape), str(path))


def with_stages(backbone: Backbone, last: int) -> Backbone:
    """A backbone whose embedding is the averages of its last stages, one after the other; 1 is the last one alone.

    Raises:
        UsageError: it has fewer stages.
    """
    if last == stages_seen(backbone.net):
        return backbone
    net = put_stages(copy.deepcopy(backbone.net), last)
    spec = {k: v for k, v in backbone.spec.items() if k not in ("stages", "pool")}
    spec |= {"stages": last} if last > 1 else {}
    return dataclasses.replace(backbone, name=_called(spec["name"], net), net=net, spec=spec)


def _called(name: str, net: Net) -> str:
    """What reports call a network of which the head sees several stages: `resnet20 stages.1-2`."""
    places = [place for place, _ in net.stages.named_children()][-stages_seen(net) :]
    return f"{name} stages.{places[0]}-{places[-1]}" if len(places) > 1 else name


def with_vlad(backbone: Backbone, pixels: np.ndarray) -> Backbone:
    """A backbone with NetVLAD for a pool, its centers taken from pictures, uint8 (n, h, w, c), by k-means.

    Raises:
        UsageError: its last feature maps have one place only.
        ShapeError: the pictures give fewer different features than clusters.
    """
    net = copy.deepcopy(backbone.net)
    with torch.inference_mode():
        maps = net.features(backbone.preprocess.normalize(pixels))  # (n, c, h', w')
    if maps.shape[2:].numel() < 2:
        raise UsageError(f"The last feature maps of {backbone.name} have one place only: NetVLAD has nothing to pool.")
    clusters = min(CLUSTERS, max(4, LENGTH // maps.shape[1]))
    put_netvlad(net, maps.shape[1], clusters).pool.initialize(maps)  # type: ignore[operator]
    spec = {**backbone.spec, "pool": dict(net.made_pool or {})}
    return Backbone(f"{backbone.name} NetVLAD", net, backbone.preprocess, spec, backbone.source)


def same_pixels(a: Preprocess, b: Preprocess) -> bool:
    """Whether two ways to prepare pictures differ in mean and deviation only, so that one store serves both."""
    plain = [dataclasses.replace(one, mean=(), std=()) for one in (a, b)]
    return a.fit != "pad" and plain[0] == plain[1]


def side_by_side(backbones: Sequence[Backbone]) -> Backbone:
    """One backbone of several; its pictures are prepared as for the first.

    Raises:
        UsageError: one of them does not end in a global average.
    """
    first = backbones[0]
    nets = [copy.deepcopy(b.net) for b in backbones]
    ranges = [(b.preprocess.mean, b.preprocess.std) for b in backbones]
    name = " + ".join(b.name for b in backbones)
    net = Ensemble(nets, ranges, [b.spec for b in backbones]).eval()
    return Backbone(name, net, first.preprocess, describe(net, name, first.preprocess.shape))

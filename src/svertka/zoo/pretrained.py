"""A network by name with the weights that are asked for: what `svertka.net` is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from svertka.blocks import Net
from svertka.errors import UsageError
from svertka.zoo.factory import fresh_net


def net(
    name: str,
    *,
    classes: int | None = None,
    channels: int | None = None,
    weights: str | Path | None = None,
    **options: Any,
) -> Net:
    """A network by name, on torch's default device.

        sv.net("resnet50", weights="imagenet")              # as published, 1000 classes
        sv.net("resnet50", classes=5, weights="imagenet")   # the same, but its head is fresh, which a warning says
        sv.net("lenet", classes=10, channels=1)             # fresh weights, drawn from torch's generator

    Args:
        name: one of `svertka nets`, such as "resnet50".
        classes: outputs; the published number where None.
        channels: input channels; the published number where None.
        weights: None for fresh ones, "imagenet" for the best that are published for this network, a name of `svertka
            weights` such as "resnet50.tv", or a file (.safetensors, .pth, .h5, .npz). Published ones are fetched once.
        options: what the family takes beyond that (its file says so), such as `drop_path=0.1`.

    Returns:
        A `torch.nn.Module` in training mode: float32 (n, channels, height, width) -> logits (n, classes).

    Raises:
        UnknownName: there is no network of that name, no such published weights, or the family has no such option.
        UsageError: fewer than one class or channel, or the weights are a folder.
        ShapeError: the network is built for one input size and cannot be for this one.
        WeightsError: the weights cannot be had or read, or are of another network or number of channels.
    """
    if weights is None:
        return fresh_net(name, classes=classes, channels=channels, **options)
    from svertka.zoo.weights.catalog import fill, published

    if weights != "imagenet" and published(weights) is None and Path(weights).is_dir():
        raise UsageError(f"{weights} is a folder: of a run, the network is sv.Model.load({str(weights)!r}).net.")
    made, fresh = fill(name, weights, classes=classes, channels=channels, drop_head=classes is not None, **options)
    if fresh:
        warnings.warn(
            f"The head of this {name} is fresh: {weights} is of another number of classes than {classes}.", stacklevel=2
        )
    return made

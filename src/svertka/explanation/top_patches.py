"""What excites the channels of a layer: where in real pictures each has its peak, and the patches that it sees there.

One pass over the pictures serves all channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from svertka.explanation.feature_visualization import Box, channel_of, maps_of, within
from svertka.explanation.feature_visualization import field as field_of
from svertka.explanation.frozen_network import frozen_network
from svertka.explanation.methods.registry import on_device_of


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a real picture that excites a channel.

    picture  its number, in the order in which pictures came
    box      left, top, right, bottom in pixels of the input: what the place can see, cut at the border
    value    how much it excites
    """

    picture: int
    box: Box
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The strongest place of every channel in every picture.

    value  (n, c)
    place  (n, c), counted row by row over `size`
    mean   (c,) of what the channel gives anywhere, sign left out
    size   (h', w') of the layer
    shape  (channels, h, w) of the input
    """

    value: np.ndarray = field(repr=False)
    place: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    size: tuple[int, ...]
    shape: tuple[int, ...]

    def strongest(self, channel: int, count: int) -> list[tuple[int, tuple[int, ...], float]]:
        """(picture, place, value) of the pictures that excite a channel most, the strongest first."""
        order = np.argsort(-self.value[:, channel], kind="stable")[:count].tolist()
        at = [tuple(int(i) for i in np.unravel_index(self.place[k, channel], self.size)) for k in order]
        return [(k, place, float(self.value[k, channel])) for k, place in zip(order, at, strict=True)]


def peaks(module: nn.Module, batches: Iterable[Tensor], layer: str, channel: int | None = None) -> Peaks | None:
    """Where a layer's channels (one of them where it is named) have their peaks; None where there is no picture.

    Args:
        module: the network.
        batches: (n, channels, h, w) each, all of one size, normalized.
        layer: its name.
        channel: the number of the only one that is asked about; it becomes number 0.

    Raises:
        UnknownName: no such layer.
        UsageError: the layer gives no maps, or has no such channel.
    """
    value, place, places = [], [], 0
    total: np.ndarray | float = 0.0
    size: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    with frozen_network(module) as net:
        for batch in batches:
            maps = maps_of(net, on_device_of(net, batch), [layer])[layer]  # (n, c, h, w)
            maps = channel_of(maps, layer, channel)
            size, shape = tuple(maps.shape[2:]), tuple(batch.shape[1:])
            best = maps.flatten(2).max(2)
            value.append(best.values.float().cpu().numpy())
            place.append(best.indices.cpu().numpy())
            total = total + maps.float().abs().sum((0, 2, 3)).cpu().numpy()
            places += maps.shape[0] * maps[0, 0].numel()
    if not value:
        return None
    return Peaks(np.concatenate(value), np.concatenate(place), np.asarray(total) / places, size, shape)


def patches(module: nn.Module, found: Peaks, layer: str, channels: Iterable[int], count: int) -> list[list[Patch]]:
    """The patches of real pictures behind the strongest peaks of some channels.

    Raises:
        UsageError: what a place of the layer sees is not known.
    """
    views = field_of(module, found.shape, layer)
    return [
        [Patch(k, within(views, found.shape[1:], at), value) for k, at, value in found.strongest(channel, count)]
        for channel in channels
    ]


def exciting(module: nn.Module, batches: Iterable[Tensor], layer: str, channel: int, count: int = 9) -> list[Patch]:
    """The places of real pictures that excite a channel most, one a picture, the strongest first.

    Args:
        module: the network.
        batches: (n, channels, h, w) each, all of one size, normalized.
        layer: its name.
        channel: the number of the map.
        count: how many.

    Raises:
        UnknownName: no such layer.
        UsageError: the layer gives no maps, or has no such channel.
    """
    found = peaks(module, batches, layer, channel)
    return [] if found is None else patches(module, found, layer, [0], count)[0]

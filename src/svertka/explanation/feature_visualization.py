"""What is in a network: feature maps, first filters, receptive fields, and pictures made for its channels.

feature_maps(net, x, layer)          what a layer makes of a picture
filters(net)                         the weights of the first convolution, as pictures
field(net, shape, layer)             which pixels one place of a layer can see (theory: sizes and strides)
effective_field(net, x, layer)       which pixels it does see (gradients); Luo et al. 2016, arXiv:1701.04128
imagined(net, shape, layer, ...)     a picture made to excite it; Erhan et al. 2009; Olah et al. 2017, Distill
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.errors import ShapeError, UsageError
from svertka.explanation import layers as places
from svertka.explanation.frozen_network import frozen_network, watching
from svertka.explanation.heatmap import scaled
from svertka.explanation.methods.registry import on_device_of
from svertka.shapes import Field
from svertka.summary.forward_trace import watch

LEVELS, COARSER = 3, 3  # pictures that an imagined one is the sum of, each so many times coarser than the one before
SMOOTH = 0.2  # what a difference of 1 between neighbors counts against the excitation of 1

Box = tuple[int, int, int, int]  # left, top, right, bottom
Views = tuple[Field | None, ...]  # what a place sees along each axis; None: all of it


def feature_maps(module: nn.Module, x: Tensor, layer: str) -> np.ndarray:
    """What a layer gives for each input: (n, c, *size), copied before anything behind it works in place.

    Raises:
        UnknownName: no such layer.
        UsageError: the layer does not run, or gives no tensor.
    """
    return layer_maps(module, x, [layer])[layer]


def layer_maps(module: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """`feature_maps` of several layers from one pass, in the order in which they are named."""
    with frozen_network(module) as net:
        return {name: maps.cpu().numpy() for name, maps in maps_of(net, on_device_of(net, x), layers).items()}


def filters(module: nn.Module) -> np.ndarray:
    """The kernels of the first convolution as pictures: uint8 (k, h, w, 3); 0 is mid-gray, one contrast for all.

    Of a network whose input has 1 channel they are gray; of another number than 1 or 3 only the first is shown.

    Raises:
        UsageError: the network has no convolution over pictures.
    """
    with frozen_network(module) as net:
        first = next((part for part in net.modules() if isinstance(part, nn.Conv2d)), None)
    if first is None:
        raise UsageError(f"{type(net).__name__} has no convolution over pictures.")
    weight = first.weight.detach().float().cpu().numpy().transpose(0, 2, 3, 1)  # (k, h, w, c)
    weight = weight if weight.shape[3] == 3 else weight[..., :1].repeat(3, axis=3)
    reach = max(float(np.abs(weight).max()), 1e-12)
    return (127.5 + 127.5 * weight / reach).round().astype(np.uint8)


def field(module: nn.Module, shape: tuple[int, ...], layer: str) -> Views:
    """Which pixels a place of a layer can see, axis by axis; None along an axis that is mixed as a whole.

    Args:
        module: the network.
        shape: of its input, (channels, *size).
        layer: its name; a block of layers sees what the last of them does.

    >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, padding=1))
    >>> field(net, (1, 16, 16), "2")[0]
    Field(size=8, jump=2, start=-3)

    Raises:
        UnknownName: no such layer.
        UsageError: it does not run.
    """
    found = fields(module, shape, [layer])[layer]
    if found is None:
        raise UsageError(
            f"What the layer {layer} sees is not known: it does not run, or does not follow from the input."
        )
    return found


def fields(module: nn.Module, shape: tuple[int, ...], layers: Sequence[str]) -> Mapping[str, Views | None]:
    """`field` of several layers from one pass; None where it is not known.

    Raises:
        UnknownName: no such layer.
    """
    with frozen_network(module) as net:
        for layer in layers:
            places.find(net, layer)
        weight = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
        rows, _ = watch(net, shape, weight.dtype, numbers=True)
    found: dict[str, Views | None] = {}
    for layer in layers:
        inside = [row for row in rows if row.name == layer or row.name.startswith(layer + ".")]
        seen_by = inside[-1].seen if inside else None
        views = () if seen_by is None else seen_by.views
        found[layer] = tuple(view if isinstance(view, Field) else None for view in views) or None
    return found


def seen(module: nn.Module, shape: tuple[int, ...], layer: str, at: tuple[int, ...]) -> Box:
    """The box of input pixels that one place (y, x) of a layer can see, cut at the border: left, top, right, bottom."""
    return within(field(module, shape, layer), shape[1:], at)


def effective_field(module: nn.Module, x: Tensor, layer: str, at: tuple[int, ...] | None = None) -> np.ndarray:
    """How much each pixel moves the middle place of a layer: (*size) in [0, 1], the mean over inputs and channels.

    Args:
        module: the network.
        x: (n, channels, *size); the more inputs, the smoother.
        layer: its name.
        at: the place; the middle one where None.
    """
    with frozen_network(module) as net:
        x = on_device_of(net, x).requires_grad_()
        part, met = places.find(net, layer), list[Tensor]()
        handle = part.register_forward_hook(lambda _m, _i, output: met.append(output.clone()))
        try:
            places.forward(net, x.clone())
        finally:
            handle.remove()
        if not met or met[-1].dim() < 3:
            raise UsageError(f"The layer {layer} gives no maps for this input.")
        maps = met[-1]
        at = at or tuple(n // 2 for n in maps.shape[2:])
        _check_place(at, maps.shape[2:], layer)
        # random signs, or channels would cancel
        signs = torch.randn(maps.shape[1], generator=torch.Generator().manual_seed(0)).to(maps)
        middle: tuple[slice | int, ...] = (slice(None), slice(None), *at)
        (gradient,) = torch.autograd.grad((maps[middle] * signs).sum(), x)
    return scaled(gradient.abs().sum(1).mean(0).cpu().numpy())


def imagined(
    module: nn.Module, shape: tuple[int, ...], layer: str, channel: int, *, steps: int = 128, seed: int = 0,
    low: float = -2.0, high: float = 2.0,
) -> np.ndarray:  # fmt: skip
    """A picture that excites a channel, by gradient ascent: (channels, h, w) between low and high.

    It is the sum of coarse and fine pictures, moved at random by a few pixels at each step and kept smooth, or it would
    be noise that no one else sees.
    """
    with frozen_network(module) as net:
        places.find(net, layer)
        generator = torch.Generator().manual_seed(seed)
        weight = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
        sizes = [tuple(max(2, n // COARSER**k) for n in shape[1:]) for k in range(LEVELS)]
        parts = [torch.randn(1, shape[0], *size, generator=generator) for size in sizes]
        parts = [(0.4 / LEVELS * part).to(weight).requires_grad_() for part in parts]
        optimizer = torch.optim.Adam(parts, lr=0.03)
        reach = max(2, min(shape[1:]) // 16)
        for _ in range(steps):
            dy, dx = (int(torch.randint(-reach, reach + 1, (), generator=generator)) for _ in range(2))
            with torch.enable_grad():
                x = _added(parts, shape[1:]).clamp(low, high)
                maps = _gradient_maps(net, x.roll((dy, dx), (2, 3)), layer)
                score = channel_of(maps, layer, channel).mean()
                rough = x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean()
                gradients = torch.autograd.grad(SMOOTH * rough - score, parts)
            for part, gradient in zip(parts, gradients, strict=True):
                part.grad = gradient
            optimizer.step()
        return _added(parts, shape[1:]).clamp(low, high).detach()[0].cpu().numpy()


def _added(parts: Sequence[Tensor], size: tuple[int, ...]) -> Tensor:
    """Pictures of several sizes, brought to one and summed."""
    full = [F.interpolate(part, size, mode="bilinear", align_corners=False) for part in parts]
    return torch.stack(full).sum(0)


def embeddings(module: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """What the head of a network sees of each picture, at length 1: (n, d) float32.

    Raises:
        UsageError: the network has no `embed`, or there are no pictures.
    """
    with frozen_network(module) as net, torch.no_grad():
        embed = getattr(net, "embed", None)
        if embed is None:
            raise UsageError(f"{type(net).__name__} has no embed(x); a network of stem, stages, pool and head has.")
        rows = [F.normalize(embed(on_device_of(net, b)).flatten(1).float(), dim=1).cpu() for b in batches]
    if not rows:
        raise UsageError("There are no pictures to embed.")
    return torch.cat(rows)


def nearest(own: Tensor, many: Tensor, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Which of many pictures lie nearest to each of some, by the angle between their `embeddings`.

    Returns:
        Their numbers and their cosine similarities, the nearest first: int64 and float32, (n, count) each.
    """
    best = (own @ many.T).topk(min(count, len(many)), dim=1)
    return best.indices.numpy(), best.values.numpy()


@torch.no_grad()
def maps_of(net: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """What some layers of a frozen network give for x, from one pass.

    Raises:
        UnknownName: no such layer.
        UsageError: one does not run, or gives no tensor.
    """
    with ExitStack() as stack:
        watched = {name: stack.enter_context(watching(places.find(net, name))) for name in layers}
        places.forward(net, x)
        return {name: one.given().detach() for name, one in watched.items()}


def _gradient_maps(net: nn.Module, x: Tensor, layer: str) -> Tensor:
    met: list[Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, _i, output: met.append(output.clone()))
    try:
        places.forward(net, x)
    finally:
        handle.remove()
    return met[-1]


def channel_of(maps: Tensor, layer: str, channel: int | None) -> Tensor:
    """One channel of maps (n, c, h, w), as (n, 1, h, w); all where None.

    Raises:
        UsageError: these are no maps, or there is no such channel.
    """
    if maps.dim() != 4:
        raise UsageError(f"The layer {layer} gives no maps for this input.")
    if channel is None:
        return maps
    if not 0 <= channel < maps.shape[1]:
        raise UsageError(f"The layer {layer} has the channels 0 to {maps.shape[1] - 1}; received {channel}.")
    return maps[:, channel : channel + 1]


def within(views: Views, size: tuple[int, ...], at: tuple[int, ...]) -> Box:
    """What a place that sees `views` sees of an input of (h, w), cut at the border."""
    spans = [
        view.sees(place, length) if view else range(length) for view, length, place in zip(views, size, at, strict=True)
    ]
    rows, columns = (range(1), spans[0]) if len(spans) == 1 else spans
    return columns.start, rows.start, columns.stop, rows.stop


def _check_place(at: tuple[int, ...], size: torch.Size, layer: str) -> None:
    if len(at) != len(size) or not all(0 <= i < n for i, n in zip(at, size, strict=True)):
        raise ShapeError(f"The layer {layer} has {'x'.join(map(str, size))} places; it has none at {at}.")

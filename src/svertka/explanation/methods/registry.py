"""The methods, one row each, and the one function that asks any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.explanation import layers
from svertka.explanation.frozen_network import frozen_network
from svertka.explanation.heatmap import Heat, scaled
from svertka.explanation.methods import cam, gradients, perturbation
from svertka.explanation.request import Ask


@dataclass(frozen=True, slots=True)
class Method:
    """One way to ask why.

    name   what `--method` takes
    look   Ask -> (n, *size), any range; what is below 0 speaks against the class and is left out
    layer  whether it watches a layer
    about  one line for people
    full   the share of places from which on the heat is 1: below 1 where a few stray pixels would leave the rest dark
    """

    name: str
    look: Callable[[Ask], Tensor]
    layer: bool
    about: str
    full: float = 1.0


STRAY = 0.99  # Smilkov et al. 2017, section 3.2, cap maps of pixels there

METHODS: dict[str, Method] = {
    row.name: row
    for row in (
        Method("grad-cam", cam.grad_cam, True, "maps of a layer, weighed by their mean gradient"),
        Method("grad-cam++", cam.grad_cam_plus, True, "the same, for several objects of a class"),
        Method("layer-cam", cam.layer_cam, True, "every place by its own gradient; fine in early layers"),
        Method("score-cam", cam.score_cam, True, "channels by the score of the picture seen through them; slow"),
        Method("eigen-cam", cam.eigen_cam, True, "what the maps have in common, whatever the class"),
        Method("saliency", gradients.saliency, False, "the gradient of each pixel", STRAY),
        Method("smoothgrad", gradients.smoothgrad, False, "the gradient, averaged over noise", STRAY),
        Method(
            "integrated-gradients", gradients.integrated_gradients, False, "the gradient from a flat picture on", STRAY
        ),
        Method("guided-backprop", gradients.guided, False, "the gradient without what speaks against", STRAY),
        Method("occlusion", perturbation.occlusion, False, "what hiding a patch costs"),
        Method("rise", perturbation.rise, False, "random masks by the probability they leave; slow"),
    )
}


def method(name: str) -> Method:
    """A row by its name.

    Raises:
        UnknownName: there is none.
    """
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return METHODS[name]


def heats(
    module: nn.Module,
    x: Tensor,
    how: str | Method = "grad-cam",
    *,
    layer: str | None = None,
    target: int | Tensor | None = None,
    samples: int | None = None,
    seed: int = 0,
    batch: int = 32,
) -> list[Heat]:
    """Where a network looked, for each input; it is given back as it was.

    Args:
        module: any network that gives (n, classes); compiled, averaged or frozen ones too.
        x: (n, channels, *size), normalized as the network wants it.
        how: a name of METHODS, or a row of your own.
        layer: for methods that watch one: its name; chosen by itself where None.
        target: the class, one for all or (n,) one for each; the most likely where None.
        samples: masks, noisy copies, steps or channels, where a method counts any.
        seed: of random masks and noise.
        batch: inputs in one pass.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    >>> heats(net, torch.rand(1, 1, 8, 8))[0].values.shape
    (6, 6)

    Raises:
        UnknownName: there is no such method, layer or class.
        ShapeError: the network cannot take x.
        UsageError: no layer has places, or a layer that gives no maps was named.
    """
    row = how if isinstance(how, Method) else method(how)
    check_samples(samples)
    with frozen_network(module) as net:
        x = on_device_of(net, x)
        where = _place(net, x, layer) if row.layer else ""
        found: list[Heat] = []
        for part, targets in zip(x.split(batch), _targets(target, len(x)).split(batch), strict=True):
            with torch.no_grad():
                shares = torch.softmax(layers.forward(net, part).float(), 1)
            targets = _classes(targets.to(x.device), shares)
            maps = row.look(Ask(net, part, targets, where, samples, seed, batch)).detach().cpu().numpy()
            scores = shares.gather(1, targets[:, None])[:, 0].tolist()
            rows = zip(maps, targets.tolist(), scores, strict=True)
            found += [Heat(scaled(m, row.full), row.name, where or "input", t, round(s, 6)) for m, t, s in rows]
        return found


def on_device_of(net: nn.Module, x: Tensor) -> Tensor:
    """The input beside the weights, in their precision, outside every graph.

    Raises:
        ShapeError: x is no batch of pictures, series or spectrograms.
    """
    if x.dim() not in (3, 4) or not len(x):
        raise ShapeError(
            f"A batch is (n, channels, height, width) or (n, channels, length); received {tuple(x.shape)}."
        )
    weight = next((p for p in net.parameters() if p.is_floating_point()), x)
    return x.detach().to(device=weight.device, dtype=weight.dtype).clone()  # a clone is no tensor of inference mode


def check_samples(samples: int | None) -> None:
    """Refuse a number of samples below one."""
    if samples is not None and samples < 1:
        raise UsageError(f"samples is 1 or more; received {samples}.")


def _place(net: nn.Module, x: Tensor, layer: str | None) -> str:
    if layer is None:
        return layers.choose(net, x)
    layers.find(net, layer)
    shape = layers.sizes(net, x[:1], [layer]).get(layer)
    if shape is None or len(shape) < 3:
        gives = "does not run" if shape is None else f"gives {'x'.join(map(str, shape[1:]))}, no maps"
        raise UsageError(f"The layer {layer} {gives} for this input; {layers.choose(net, x)} gives maps.")
    return layer


def _targets(target: int | Tensor | None, n: int) -> Tensor:
    """(n,) classes; -1 where the network decides."""
    if target is None:
        return torch.full((n,), -1)
    chosen = torch.as_tensor(target)
    if chosen.dim() > 1 or (chosen.dim() == 1 and len(chosen) != n):
        raise ShapeError(f"target is one class, or one for each of {n} inputs; received {tuple(chosen.shape)}.")
    if bool((chosen < 0).any()):
        raise UnknownName("class", str(int(chosen.min())), [])
    return chosen.long().expand(n)


def _classes(targets: Tensor, shares: Tensor) -> Tensor:
    known = shares.shape[1]
    if bool((targets >= known).any()):
        raise UnknownName("class", str(int(targets.max())), [], where=f"This network has the classes 0 to {known - 1}.")
    return torch.where(targets < 0, shares.argmax(1), targets)

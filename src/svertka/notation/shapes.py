"""Do the sizes fit? Walks a syntax tree from the input on and gives every layer the shapes that it meets.

Whole numbers only; nothing is built. Repetitions are written out, and a residual whose input and result
differ gets the 1x1 convolution that He et al. 2015 (arXiv:1512.03385, option B) put on the skip, normalized
where its body is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from svertka import shapes
from svertka.errors import NotationError, ShapeError, UsageError
from svertka.notation import syntax
from svertka.notation.grammar import parse
from svertka.notation.syntax import Node, Sides
from svertka.shapes import Window

Shape = tuple[int, ...]  # (channels, *sizes) of maps, (numbers,) of a vector

MOST_WEIGHTS = 10**9  # of one layer; more is a slip of the finger, and would take all memory


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer where it stands: the shape that enters, the shape that leaves, the branches inside."""

    node: Node
    input: Shape
    output: Shape
    branches: tuple[tuple[Placed, ...], ...] = ()


def place(network: syntax.Network, input: Shape, classes: int | None = None) -> tuple[Placed, ...]:
    """Every layer of a network with its shapes, for an input of (channels, *sizes).

    Raises:
        NotationError: a layer does not fit the shape that it meets; points at it and says which sizes met.
        UsageError: the input is no (channels, length) or (channels, height, width), or there are no classes.
    """
    if len(input) not in (2, 3) or min(input) < 1:
        raise UsageError(
            f"The input of a network is channels and sizes, as in 3x224x224 or 1x16000; received {by(input)}."
        )
    if classes is not None and classes < 1:
        raise UsageError(f"A network needs at least one class; received {classes}.")
    known = network if network.text else parse(str(network))
    return _Walk(known, classes).network(input)


def windows(node: syntax.Conv | syntax.Depthwise | syntax.Pool, axes: int) -> tuple[Window, ...]:
    """The windows of a layer that slides, one for each axis.

    Raises:
        ShapeError: it has sides for another number of axes.
    """
    kernel = node.size if isinstance(node, syntax.Pool) else node.kernel
    dilation = syntax.ONE if isinstance(node, syntax.Pool) else node.dilation
    padding = node.padding if isinstance(node.padding, str) else each(node.padding)
    return shapes.windows(
        axes,
        each(kernel),
        each(node.stride),
        padding,
        each(dilation),
        ceil=isinstance(node, syntax.Pool) and node.ceil,
    )


def each(sides: Sides) -> int | Sides:
    """(3,) is 3 along every axis."""
    return sides[0] if len(sides) == 1 else sides


def by(shape: Shape) -> str:
    """(64, 28, 28) -> 64x28x28."""
    return "x".join(map(str, shape))


class _Walk:
    def __init__(self, network: syntax.Network, classes: int | None) -> None:
        self.tree, self.text, self.classes = network, network.text, classes
        self.rules: dict[type[Node], Callable[..., Placed]] = {
            syntax.Conv: self.conv,
            syntax.Depthwise: self.depthwise,
            syntax.Pool: self.pool,
            syntax.GlobalPool: self.global_pool,
            syntax.Flatten: self.flatten,
            syntax.Linear: self.linear,
            syntax.LocalNorm: self.local_norm,
            syntax.Residual: self.residual,
            syntax.Concat: self.concat,
        }

    def network(self, input: Shape) -> tuple[Placed, ...]:
        placed = self.sequence(self.tree.layers, input)
        last, result = placed[-1].node, placed[-1].output
        if isinstance(last, syntax.Activation) and last.name == "softmax":
            raise self.error(
                "Leave out the softmax at the end: a network gives logits, and the loss and the prediction "
                "take their softmax.", last,
            )  # fmt: skip
        if len(result) > 1:
            raise self.error(
                f"The network ends in maps of {by(result)}; it needs one number per class, "
                "so go on with gap fc or flatten fc.", last,
            )  # fmt: skip
        if self.classes not in (None, *result):
            weighty = [p.node for p in placed if isinstance(p.node, syntax.Linear)]
            raise self.error(
                f"The network ends in {result[0]} numbers, but there are {self.classes} classes; end it with fc.",
                weighty[-1] if weighty and placed[-1].input == result else last,
            )
        return placed

    def sequence(self, nodes: tuple[Node, ...], shape: Shape) -> tuple[Placed, ...]:
        """Layers one behind another, repetitions written out."""
        found: list[Placed] = []
        for node in nodes:
            if isinstance(node, syntax.Repeat):
                for _ in range(node.times):
                    found += self.sequence(node.body, found[-1].output if found else shape)
            else:
                found.append(self.layer(node, found[-1].output if found else shape))
        return tuple(found)

    def layer(self, node: Node, shape: Shape) -> Placed:
        rule = self.rules.get(type(node))
        return rule(node, shape) if rule else Placed(node, shape, shape)

    def conv(self, node: syntax.Conv, shape: Shape) -> Placed:
        sizes = self.slide(node, shape)
        try:
            kernel = [window.kernel for window in windows(node, len(sizes))]
            weights = shapes.conv_parameters(shape[0], node.filters, kernel, groups=node.groups).weights
        except ShapeError as why:
            raise self.error(str(why), node) from why
        self.affordable(weights, node)
        return Placed(node, shape, (node.filters, *sizes))

    def depthwise(self, node: syntax.Depthwise, shape: Shape) -> Placed:
        return Placed(node, shape, (shape[0], *self.slide(node, shape)))

    def pool(self, node: syntax.Pool, shape: Shape) -> Placed:
        sizes = self.slide(node, shape)
        for window, size in zip(windows(node, len(sizes)), shape[1:], strict=True):
            if max(window.pads(size)) > window.kernel // 2:
                raise self.error(
                    f"The padding of {node} is {max(window.pads(size))}, but pooling over {window.kernel} "
                    f"takes at most {window.kernel // 2}, so that no window lies outside.", node,
                )  # fmt: skip
        return Placed(node, shape, (shape[0], *sizes))

    def slide(self, node: syntax.Conv | syntax.Depthwise | syntax.Pool, shape: Shape) -> Shape:
        """The sizes behind a sliding window."""
        self.needs_maps(node, shape)
        try:
            along = windows(node, len(shape) - 1)
        except ShapeError as why:
            axes = "one axis" if len(shape) == 2 else "two axes"
            raise self.error(f"{node} does not suit an input with {axes}: {why}", node) from why
        try:
            return shapes.output_shape(shape[1:], along)
        except ShapeError as why:
            least = max(w.least() for w in along)
            unit = "pixels" if len(along) == 2 else "samples"
            raise self.error(
                f"{node} needs at least {least} {unit}, but the maps are {by(shape[1:])} here.", node
            ) from why

    def global_pool(self, node: syntax.GlobalPool, shape: Shape) -> Placed:
        self.needs_maps(node, shape)
        return Placed(node, shape, shape[:1])

    def flatten(self, node: syntax.Flatten, shape: Shape) -> Placed:
        return Placed(node, shape, (prod(shape),))

    def linear(self, node: syntax.Linear, shape: Shape) -> Placed:
        if len(shape) > 1:
            raise self.error(
                f"{node} takes a vector, but here are maps of {by(shape)}; put flatten or gap before it.",
                node,
            )
        units = self.classes if node.units is None else node.units
        if units is None:
            raise self.error(
                "fc without a number has one output per class, and the number of classes is not known.", node
            )
        self.affordable(shapes.linear_parameters(shape[0], units).weights, node)
        return Placed(node, shape, (units,))

    def local_norm(self, node: syntax.LocalNorm, shape: Shape) -> Placed:
        self.needs_maps(node, shape)
        return Placed(node, shape, shape)

    def residual(self, node: syntax.Residual, shape: Shape) -> Placed:
        body = self.sequence(node.body, shape)
        output = body[-1].output
        if node.skip:
            skip = self.sequence(node.skip, shape)
            if skip[-1].output != output:
                raise self.error(
                    f"The skip gives {by(skip[-1].output)}, but the body gives {by(output)}; they are added, "
                    "so they must be equal.", *node.skip,
                )  # fmt: skip
        else:
            skip = self.projection(node, shape, output)
        return Placed(node, shape, output, (body, skip))

    def projection(self, node: syntax.Residual, shape: Shape, output: Shape) -> tuple[Placed, ...]:
        """What lets the input be added to the result: nothing where they are equal, else a 1x1 convolution.

        Of a vector, a fully connected layer.
        """
        if shape == output:
            return ()
        start, end = node.start, node.end
        normed = any(isinstance(layer, syntax.BatchNorm) for layer in node.body)
        norm = (syntax.BatchNorm(start=start, end=end),) if normed else ()
        if len(shape) == len(output) == 1:
            return self.sequence((syntax.Linear(*output, start=start, end=end), *norm), shape)
        stride = tuple(-(-big // small) for big, small in zip(shape[1:], output[1:], strict=False))
        reached = tuple(Window(1, step).out(size) for size, step in zip(shape[1:], stride, strict=False))
        if len(shape) != len(output) or reached != output[1:]:
            raise self.error(
                f"res adds its input, {by(shape)}, to its result, {by(output)}, and no 1x1 convolution turns "
                "one into the other; keep the size, divide it by a stride, or write res(body | skip).", node,
            )  # fmt: skip
        stride = syntax.ONE if set(stride) == {1} else stride
        conv = syntax.Conv(syntax.ONE, output[0], stride, "valid", start=start, end=end)
        return self.sequence((conv, *norm), shape)

    def concat(self, node: syntax.Concat, shape: Shape) -> Placed:
        branches = tuple(self.sequence(branch, shape) for branch in node.branches)
        first = branches[0][-1].output
        for branch, placed in zip(node.branches, branches, strict=True):
            if placed[-1].output[1:] != first[1:]:
                raise self.error(
                    f"This branch of cat gives {by(placed[-1].output)}, but the first one {by(first)}; "
                    "they may differ in their channels only.", *branch,
                )  # fmt: skip
        channels = sum(placed[-1].output[0] for placed in branches)
        return Placed(node, shape, (channels, *first[1:]), branches)

    def needs_maps(self, node: Node, shape: Shape) -> None:
        if len(shape) == 1:
            raise self.error(f"{node} takes maps, but here is a vector of {shape[0]} numbers.", node)

    def affordable(self, weights: int, node: Node) -> None:
        if weights > MOST_WEIGHTS:
            raise self.error(
                f"{node} would have {weights:,} weights here, more than a layer may ({MOST_WEIGHTS:,}).", node
            )

    def error(self, message: str, *nodes: Node) -> NotationError:
        return NotationError(message, self.text, nodes[0].start, nodes[-1].end)

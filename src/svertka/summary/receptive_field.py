"""What one number of a tensor sees of the input, followed through every operation of a forward pass.

A tensor's receptive field is, for each axis of the input, a field (shapes.Field), WHOLE where some operation has mixed
all places, or UNKNOWN; and, for each dimension of the tensor, the axes along which one moves there. Branches
that meet see what either saw. Sums over a dimension (a product of matrices, a mean, a softmax, a norm) see
all of its axes.

Limits: UNKNOWN stands behind operations without a rule here, upsampling, and windows that slide along a
dimension made of several axes (tokens turned back into maps). A product that mixes windows of an axis only
(as in Swin) is taken for one that mixes the whole axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import gcd
from typing import Any, NamedTuple

import torch
from torch import Tensor

from svertka.errors import ShapeError
from svertka.shapes import Field, Window


class Beyond(Enum):
    """What is no field."""

    WHOLE = "whole"
    UNKNOWN = "unknown"


WHOLE, UNKNOWN = Beyond.WHOLE, Beyond.UNKNOWN
View = Field | Beyond
Axes = frozenset[int]
NONE: Axes = frozenset()


class Piece(NamedTuple):
    """A factor of a dimension: `size` places along these axes; `cut` where they are no longer in order."""

    axes: Axes
    size: int
    cut: bool = False


Dim = tuple[Piece, ...]  # one piece, or several where dimensions were merged: tokens are height times width
FREE: Dim = (Piece(NONE, 1),)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Views, one for each axis of the input; and for each dimension of the tensor what it runs along."""

    views: tuple[View, ...]
    dims: tuple[Dim, ...]

    def axes(self, *dims: int) -> Axes:
        """The axes that these dimensions run along."""
        return NONE.union(*(piece.axes for d in dims for piece in self.dims[d]))

    def whole(self, axes: Axes) -> ReceptiveField:
        """The same after all places along these axes were mixed."""
        return replace(self, views=tuple(WHOLE if a in axes else v for a, v in enumerate(self.views)))

    def unknown(self, axes: Axes) -> ReceptiveField:
        """The same after something happened along these axes that has no rule; what was whole stays whole."""
        lost = tuple(UNKNOWN if a in axes and v is not WHOLE else v for a, v in enumerate(self.views))
        return replace(self, views=lost)

    def then(self, dim: int, step: Field) -> ReceptiveField:
        """The same after a window has moved along a dimension."""
        axes = self.axes(dim)
        if not axes:
            return self
        shared = any(axes & self.axes(d) for d in range(len(self.dims)) if d != dim % len(self.dims))
        if len(self.dims[dim]) > 1 or self.dims[dim][0].cut or len(axes) > 1 or shared:
            return self.unknown(axes)
        (axis,) = axes
        view = self.views[axis]
        moved = view.then(step) if isinstance(view, Field) else view
        return replace(self, views=(*self.views[:axis], moved, *self.views[axis + 1 :]))

    def sized(self, shape: Sequence[int]) -> ReceptiveField:
        """The same with the sizes of the tensor that it belongs to; merged dimensions keep theirs."""
        dims = zip(self.dims, shape, strict=True)
        return replace(self, dims=tuple(d if len(d) > 1 else (d[0]._replace(size=size),) for d, size in dims))


def of_input(shape: Sequence[int]) -> ReceptiveField:
    """The field of an input (n, channels, *sizes), or of (n, numbers): each number sees itself."""
    first = min(2, len(shape) - 1)
    axes = len(shape) - first
    dims = tuple((Piece(frozenset((d - first,)) if d >= first else NONE, n),) for d, n in enumerate(shape))
    return ReceptiveField((Field(),) * axes, dims)


def join(fields: Sequence[ReceptiveField], rank: int) -> ReceptiveField:
    """Of tensors that meet number by number: all that any of them saw; dimensions align from the right."""
    first, *others = (replace(s, dims=(FREE,) * (rank - len(s.dims)) + s.dims) for s in fields)
    for other in others:
        views = tuple(map(_either, first.views, other.views))
        first = ReceptiveField(views, tuple(map(_merge, first.dims, other.dims)))
    return first


def _merge(a: Dim, b: Dim) -> Dim:
    """Two dimensions that lie on each other: equal, or one of them a single place, or a muddle."""
    axes_a, axes_b = (NONE.union(*(piece.axes for piece in dim)) for dim in (a, b))
    if a == b or not axes_b:
        return a
    return b if not axes_a or (len(b) == 1 and axes_a == axes_b) else (Piece(axes_a | axes_b, b[0].size, cut=True),)


def _either(a: View, b: View) -> View:
    if WHOLE in (a, b):
        return WHOLE
    if not (isinstance(a, Field) and isinstance(b, Field)):
        return UNKNOWN
    try:
        return a | b
    except ShapeError:  # different speeds: one of the two has a single place, which all others now see
        return WHOLE


Look = Callable[[dict[int, ReceptiveField], Sequence[Any], torch.Size], ReceptiveField]


def after(
    func: torch._ops.OpOverload, args: Sequence[Any], known: dict[int, ReceptiveField], shape: torch.Size
) -> ReceptiveField | None:
    """The field of the first output of an operation; None where nothing of the input came in."""
    seen = [known[id(t)] for t in tensors(args) if id(t) in known]
    if not seen:
        return None
    rule = RULES.get(func._overloadpacket.__name__)
    if rule and (rule in (_same, _product, _concat, _embedding) or id(args[0]) in known):
        return rule(known, args, shape).sized(shape)
    if pointwise(func):
        return join(seen, len(shape)).sized(shape)
    lost = join(seen, max(len(s.dims) for s in seen))
    every = frozenset(range(len(lost.views)))
    return replace(lost.unknown(every), dims=tuple((Piece(every, size, cut=True),) for size in shape))


def pointwise(func: torch._ops.OpOverload) -> bool:
    """Does each number of the output come from the numbers at its own place alone?"""
    return torch.Tag.pointwise in func.tags or func._overloadpacket.__name__ in UNTAGGED


UNTAGGED = {"hardswish", "hardswish_", "_prelu_kernel", "log_sigmoid_forward", "native_dropout"}


def tensors(args: Any) -> list[Tensor]:
    """The tensors among arguments, lists opened."""
    if isinstance(args, Tensor):
        return [args]
    if isinstance(args, dict):
        args = args.values()
    elif not isinstance(args, list | tuple):
        return []
    return [t for a in args for t in tensors(a)]


def _same(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    return join([known[id(t)] for t in tensors(args) if id(t) in known], len(shape))


def _convolution(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, weight, _, stride, padding, dilation, transposed, *_ = args
    field = known[id(x)].whole(known[id(x)].axes(1))
    for i in range(len(shape) - 2):
        step = _step(weight.shape[2 + i], stride, padding, dilation, i)
        field = field.unknown(field.axes(2 + i)) if transposed else field.then(2 + i, step)
    return replace(field, dims=(field.dims[0], FREE, *field.dims[2:]))


def _pool(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, kernel, *rest = args
    stride, padding = (rest[0] if rest and rest[0] else kernel), (rest[1] if len(rest) > 1 else 0)
    dilation = rest[2] if len(rest) > 2 and not isinstance(rest[2], bool) else 1
    field, axes = known[id(x)], len(kernel)
    for i in range(axes):
        field = field.then(i - axes, _step(kernel[i], stride, padding, dilation, i))
    return field


def _step(kernel: int, stride: Any, padding: Any, dilation: Any, i: int) -> Field:
    """The field of a window along axis i; torch takes one number for all axes too."""
    each = [int(v if isinstance(v, int) else v[i] if len(v) > 1 else v[0]) for v in (stride, padding, dilation)]
    return Field.of(Window(int(kernel), each[0], each[1], each[2]))


def _adaptive(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """Windows of equal size where the output divides the input; all where one number is left."""
    x, out = args[0], args[1]
    field = known[id(x)]
    for i in range(-len(out), 0):
        size, places = x.shape[i], shape[i]
        if places == 1 and size > 1:
            field = field.whole(field.axes(i))
        elif size % places:
            field = field.unknown(field.axes(i))
        elif size > places:
            field = field.then(i, Field.of(Window(size // places, size // places)))
    return field


def _reduce(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """Mean, sum, largest over some dimensions (all where none are named), which go or stay with size 1."""
    x = args[0]
    field, rank = known[id(x)], x.dim()
    rest = args[2:] if len(args) > 1 and isinstance(args[1], float) else args[1:]  # behind the order of a norm
    named = rest[0] if rest and rest[0] is not None and not isinstance(rest[0], bool) else range(rank)
    gone = {d % rank for d in ([named] if isinstance(named, int) else named or range(rank))}
    field = field.whole(_mixed_by(x, field, gone))
    if len(shape) == rank:
        return replace(field, dims=tuple(FREE if d in gone else dim for d, dim in enumerate(field.dims)))
    return replace(field, dims=tuple(dim for d, dim in enumerate(field.dims) if d not in gone))


def _norm(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """As `_reduce`; the dimensions stand behind the order of the norm."""
    return _reduce(known, (args[0], *args[2:]), shape)


def _mixed_by(x: Tensor, field: ReceptiveField, dims: set[int]) -> Axes:
    """The axes whose places an operation over these dimensions mixes: none where there is one place only."""
    return field.axes(*(d for d in dims if x.shape[d] > 1))


def _softmax(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, dim, *_ = args
    return known[id(x)].whole(_mixed_by(x, known[id(x)], {dim % x.dim()}))


def _layer_norm(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, normalized, *_ = args
    return known[id(x)].whole(_mixed_by(x, known[id(x)], set(range(x.dim() - len(normalized), x.dim()))))


def _group_norm(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x = args[0]
    return known[id(x)].whole(_mixed_by(x, known[id(x)], set(range(1, x.dim()))))


def _batch_norm(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, in_training = args[0], next((a for a in args[1:] if isinstance(a, bool)), False)
    return _group_norm(known, args, shape) if in_training else known[id(x)]


def _product(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """A product of matrices, perhaps added to a tensor: what is summed over is mixed."""
    *added, a, b = (t for t in args if isinstance(t, Tensor))
    parts = []
    for t, summed, free in ((a, -1, -2), (b, -2, -1)):
        if id(t) in known:
            s = known[id(t)]
            s = s.whole(_mixed_by(t, s, {summed % t.dim()}))
            kept = (s.dims[free], FREE) if t is a else (FREE, s.dims[free])
            parts.append(replace(s, dims=(*s.dims[:-2], *kept)))
    parts += [known[id(t)] for t in added if id(t) in known]
    field = join(parts, len(shape))
    rank, axes = range(len(field.dims)), range(len(field.views))
    twice = frozenset(a for a in axes if sum(a in field.axes(d) for d in rank) > 1)
    return field.whole(twice)  # every place meets every place, as in attention


def _view(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """The same numbers in another shape: the pieces keep their order, new dimensions take their share."""
    x = args[0]
    field = known[id(x)].sized(x.shape)
    pieces = [piece for dim in field.dims for piece in dim if piece.size > 1]
    dims: list[Dim] = []
    for size in shape:
        taken: list[Piece] = []
        while size > 1:
            piece = pieces.pop(0)
            share = gcd(piece.size, size)
            if share == 1:  # not even a part of the piece fits: nothing is known of the order any more
                every = frozenset(range(len(field.views)))
                return replace(field, dims=tuple((Piece(every, n, cut=True),) for n in shape))
            if share < piece.size:
                pieces.insert(0, Piece(piece.axes, piece.size // share, cut=bool(piece.axes)))
                piece = Piece(piece.axes, share, cut=bool(piece.axes))
            taken.append(piece)
            size //= share
        dims.append(tuple(taken) or FREE)
    return replace(field, dims=tuple(dims))


def _moved(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    """Dimensions in another order: all turned round (t), two swapped (transpose), or as listed (permute)."""
    x, *rest = args
    field = known[id(x)]
    order = list(range(x.dim()))
    if not rest:
        order = order[::-1]
    elif isinstance(rest[0], int):
        a, b = rest[0], rest[1]
        order[a], order[b] = order[b], order[a]
    else:
        order = [d % x.dim() for d in rest[0]]
    return replace(field, dims=tuple(field.dims[d] for d in order))


def _unsqueeze(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    field, at = known[id(args[0])], args[1] % len(shape)
    return replace(field, dims=(*field.dims[:at], FREE, *field.dims[at:]))


def _squeeze(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, *rest = args
    named = rest[0] if rest else range(x.dim())
    gone = {d % x.dim() for d in ([named] if isinstance(named, int) else named)}
    kept = [dim for d, dim in enumerate(known[id(x)].dims) if d not in gone or x.shape[d] > 1]
    return replace(known[id(x)], dims=tuple(kept))


def _select(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, dim = args[0], (args[1] if len(args) > 1 else 0)
    at = dim % x.dim()
    return replace(known[id(x)], dims=tuple(dim for d, dim in enumerate(known[id(x)].dims) if d != at))


def _slice(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, dim, start = args[0], (args[1] if len(args) > 1 else 0), (args[2] if len(args) > 2 else 0) or 0
    first = start + x.shape[dim] if start < 0 else start
    return known[id(x)].then(dim, Field(1, args[4] if len(args) > 4 else 1, max(first, 0)))


def _pad(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    x, pads, *_ = args
    field = known[id(x)]
    for i, before in enumerate(pads[::2]):
        field = field.then(-1 - i, Field(1, 1, -before)) if before else field
    return field


def _concat(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    parts, dim = args[0], (args[1] if len(args) > 1 else 0)
    field = join([known[id(t)] for t in parts if id(t) in known], len(shape))
    return field.unknown(field.axes(dim))


def _embedding(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    field = known[id(args[1])]
    return replace(field, dims=(*field.dims, FREE))


def _stretched(known: dict[int, ReceptiveField], args: Sequence[Any], shape: torch.Size) -> ReceptiveField:
    field = known[id(args[0])]
    return field.unknown(field.axes(*range(2, len(field.dims))))


_NAMES: tuple[tuple[Look, str], ...] = (
    (_convolution, "convolution _convolution"),
    (_pool, "max_pool2d_with_indices max_pool3d_with_indices max_pool1d max_pool2d"),
    (_pool, "avg_pool1d avg_pool2d avg_pool3d"),
    (_adaptive, "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d"),
    (_reduce, "mean sum amax amin var std max logsumexp"),
    (_norm, "linalg_vector_norm"),
    (_softmax, "_softmax _log_softmax cumsum"),
    (_layer_norm, "native_layer_norm"),
    (_group_norm, "native_group_norm"),
    (_batch_norm, "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training"),
    (_product, "mm bmm addmm baddbmm"),
    (_view, "view _unsafe_view reshape"),
    (_moved, "t transpose permute"),
    (_unsqueeze, "unsqueeze"),
    (_squeeze, "squeeze"),
    (_select, "select unbind"),
    (_slice, "slice"),
    (_pad, "constant_pad_nd"),
    (_concat, "cat"),
    (_embedding, "embedding"),
    (_stretched, "upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d"),
    (
        _same,
        "expand clone alias detach _to_copy copy_ glu split split_with_sizes",
    ),
)
RULES: dict[str, Look] = {name: rule for rule, names in _NAMES for name in names.split()}

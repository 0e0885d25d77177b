"""What one number of a tensor sees of the input, followed through every operation of a forward pass.

A tensor's sight is, for each axis of the input, a field (shapes.Field), WHOLE where some operation has mixed
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
from math import prod
from typing import Any

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
MIXED = -1  # among the axes of a dimension: places along it no longer follow one another as in the input


@dataclass(frozen=True, slots=True)
class Sight:
    """Views, one for each axis of the input; and for each dimension of the tensor the axes it runs along."""

    views: tuple[View, ...]
    dims: tuple[Axes, ...]

    def whole(self, axes: Axes) -> Sight:
        """The same after all places along these axes were mixed."""
        return replace(self, views=tuple(WHOLE if a in axes else v for a, v in enumerate(self.views)))

    def unknown(self, axes: Axes) -> Sight:
        """The same after something happened along these axes that has no rule; what was whole stays whole."""
        lost = tuple(UNKNOWN if a in axes and v is not WHOLE else v for a, v in enumerate(self.views))
        return replace(self, views=lost)

    def then(self, dim: int, step: Field) -> Sight:
        """The same after a window has moved along a dimension."""
        axes = self.dims[dim]
        if not axes:
            return self
        shared = any(axes & other for i, other in enumerate(self.dims) if i != dim % len(self.dims))
        if len(axes) > 1 or shared:
            return self.unknown(axes)
        (axis,) = axes
        view = self.views[axis]
        moved = view.then(step) if isinstance(view, Field) else view
        return replace(self, views=(*self.views[:axis], moved, *self.views[axis + 1 :]))


def of_input(shape: Sequence[int]) -> Sight:
    """The sight of an input (n, channels, *sizes), or of (n, numbers): each number sees itself."""
    first = min(2, len(shape) - 1)
    axes = len(shape) - first
    return Sight((Field(),) * axes, (NONE,) * first + tuple(frozenset((a,)) for a in range(axes)))


def join(sights: Sequence[Sight], rank: int) -> Sight:
    """Of tensors that meet number by number: all that any of them saw; dimensions align from the right."""
    first, *others = (replace(s, dims=(NONE,) * (rank - len(s.dims)) + s.dims) for s in sights)
    for other in others:
        views = tuple(map(_either, first.views, other.views))
        first = Sight(views, tuple(a | b for a, b in zip(first.dims, other.dims, strict=True)))
    return first


def _either(a: View, b: View) -> View:
    if WHOLE in (a, b):
        return WHOLE
    if not (isinstance(a, Field) and isinstance(b, Field)):
        return UNKNOWN
    try:
        return a | b
    except ShapeError:  # different speeds: one of the two has a single place, which all others now see
        return WHOLE


Look = Callable[[dict[int, Sight], Sequence[Any], torch.Size], Sight]


def after(
    func: torch._ops.OpOverload, args: Sequence[Any], known: dict[int, Sight], shape: torch.Size
) -> Sight | None:
    """The sight of the first output of an operation; None where nothing of the input came in."""
    seen = [known[id(t)] for t in tensors(args) if id(t) in known]
    if not seen:
        return None
    rule = RULES.get(func._overloadpacket.__name__)
    if rule and (rule in (_same, _product, _concat, _embedding) or id(args[0]) in known):
        return rule(known, args, shape)
    if torch.Tag.pointwise in func.tags:
        return join(seen, len(shape))
    lost = join(seen, max(len(s.dims) for s in seen))
    every = frozenset(range(len(lost.views)))
    return replace(lost.unknown(every), dims=(every | {MIXED},) * len(shape))


def tensors(args: Any) -> list[Tensor]:
    """The tensors among arguments, lists opened."""
    if isinstance(args, Tensor):
        return [args]
    if isinstance(args, dict):
        args = args.values()
    elif not isinstance(args, list | tuple):
        return []
    return [t for a in args for t in tensors(a)]


def _same(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    return join([known[id(t)] for t in tensors(args) if id(t) in known], len(shape))


def _convolution(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, weight, _, stride, padding, dilation, transposed, *_ = args
    sight = known[id(x)].whole(known[id(x)].dims[1])
    for i in range(len(shape) - 2):
        step = _step(weight.shape[2 + i], stride, padding, dilation, i)
        sight = sight.unknown(sight.dims[2 + i]) if transposed else sight.then(2 + i, step)
    return replace(sight, dims=(sight.dims[0], NONE, *sight.dims[2:]))


def _pool(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, kernel, *rest = args
    stride, padding = (rest[0] if rest and rest[0] else kernel), (rest[1] if len(rest) > 1 else 0)
    dilation = rest[2] if len(rest) > 2 and not isinstance(rest[2], bool) else 1
    sight, axes = known[id(x)], len(kernel)
    for i in range(axes):
        sight = sight.then(i - axes, _step(kernel[i], stride, padding, dilation, i))
    return sight


def _step(kernel: int, stride: Any, padding: Any, dilation: Any, i: int) -> Field:
    """The field of a window along axis i; torch takes one number for all axes too."""
    each = [
        int(v if isinstance(v, int) else v[i] if len(v) > 1 else v[0]) for v in (stride, padding, dilation)
    ]
    return Field.of(Window(int(kernel), each[0], each[1], each[2]))


def _adaptive(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    """Windows of equal size where the output divides the input; all where one number is left."""
    x, out = args[0], args[1]
    sight = known[id(x)]
    for i in range(-len(out), 0):
        size, places = x.shape[i], shape[i]
        if places == 1 and size > 1:
            sight = sight.whole(sight.dims[i])
        elif size % places:
            sight = sight.unknown(sight.dims[i])
        elif size > places:
            sight = sight.then(i, Field.of(Window(size // places, size // places)))
    return sight


def _reduce(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    """Mean, sum, largest over some dimensions (all where none are named), which go or stay with size 1."""
    x = args[0]
    sight, rank = known[id(x)], x.dim()
    named = (
        args[1] if len(args) > 1 and args[1] is not None and not isinstance(args[1], bool) else range(rank)
    )
    gone = {d % rank for d in ([named] if isinstance(named, int) else named or range(rank))}
    sight = sight.whole(_mixed_by(x, sight, gone))
    if len(shape) == rank:
        return replace(sight, dims=tuple(NONE if d in gone else axes for d, axes in enumerate(sight.dims)))
    return replace(sight, dims=tuple(axes for d, axes in enumerate(sight.dims) if d not in gone))


def _mixed_by(x: Tensor, sight: Sight, dims: set[int]) -> Axes:
    """The axes whose places an operation over these dimensions mixes: none where there is one place only."""
    return NONE.union(*(sight.dims[d] for d in dims if x.shape[d] > 1))


def _softmax(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, dim, *_ = args
    return known[id(x)].whole(_mixed_by(x, known[id(x)], {dim % x.dim()}))


def _layer_norm(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, normalised, *_ = args
    return known[id(x)].whole(_mixed_by(x, known[id(x)], set(range(x.dim() - len(normalised), x.dim()))))


def _group_norm(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x = args[0]
    return known[id(x)].whole(_mixed_by(x, known[id(x)], set(range(1, x.dim()))))


def _batch_norm(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, in_training = args[0], next((a for a in args[1:] if isinstance(a, bool)), False)
    return _group_norm(known, args, shape) if in_training else known[id(x)]


def _product(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    """A product of matrices, perhaps added to a tensor: what is summed over is mixed."""
    *added, a, b = (t for t in args if isinstance(t, Tensor))
    parts = []
    for t, summed, free in ((a, -1, -2), (b, -2, -1)):
        if id(t) in known:
            s = known[id(t)]
            s = s.whole(_mixed_by(t, s, {summed % t.dim()}))
            kept = (s.dims[free], NONE) if t is a else (NONE, s.dims[free])
            parts.append(replace(s, dims=(*s.dims[:-2], *kept)))
    parts += [known[id(t)] for t in added if id(t) in known]
    sight = join(parts, len(shape))
    twice = frozenset(a for a in range(len(sight.views)) if sum(a in axes for axes in sight.dims) > 1)
    return sight.whole(twice)  # every place meets every place, as in attention


def _view(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    """The same numbers in another shape: dimensions that were merged or cut share their axes."""
    x = args[0]
    old, new, dims = list(x.shape), list(shape), known[id(x)].dims
    found: list[Axes] = []
    i = j = 0
    while i < len(old) or j < len(new):
        first_i, first_j = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while prod(old[first_i:i]) != prod(new[first_j:j]):
            if prod(old[first_i:i]) < prod(new[first_j:j]):
                i += 1
            else:
                j += 1
        merged = [dims[d] for d in range(first_i, i) if old[d] > 1]
        cut = sum(size > 1 for size in new[first_j:j])
        axes = NONE.union(*merged)
        if axes and (len(merged) > 1 or cut > 1):
            axes |= {MIXED}
        found += [axes if size > 1 else NONE for size in new[first_j:j]]
    return replace(known[id(x)], dims=tuple(found))


def _moved(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    """Dimensions in another order: all turned round (t), two swapped (transpose), or as listed (permute)."""
    x, *rest = args
    sight = known[id(x)]
    order = list(range(x.dim()))
    if not rest:
        order = order[::-1]
    elif isinstance(rest[0], int):
        a, b = rest[0], rest[1]
        order[a], order[b] = order[b], order[a]
    else:
        order = [d % x.dim() for d in rest[0]]
    return replace(sight, dims=tuple(sight.dims[d] for d in order))


def _unsqueeze(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    sight, at = known[id(args[0])], args[1] % len(shape)
    return replace(sight, dims=(*sight.dims[:at], NONE, *sight.dims[at:]))


def _squeeze(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, *rest = args
    named = rest[0] if rest else range(x.dim())
    gone = {d % x.dim() for d in ([named] if isinstance(named, int) else named)}
    kept = [axes for d, axes in enumerate(known[id(x)].dims) if d not in gone or x.shape[d] > 1]
    return replace(known[id(x)], dims=tuple(kept))


def _select(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, dim = args[0], (args[1] if len(args) > 1 else 0)
    at = dim % x.dim()
    return replace(known[id(x)], dims=tuple(axes for d, axes in enumerate(known[id(x)].dims) if d != at))


def _slice(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, dim, start = args[0], (args[1] if len(args) > 1 else 0), (args[2] if len(args) > 2 else 0) or 0
    first = start + x.shape[dim] if start < 0 else start
    return known[id(x)].then(dim, Field(1, args[4] if len(args) > 4 else 1, max(first, 0)))


def _pad(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    x, pads, *_ = args
    sight = known[id(x)]
    for i, before in enumerate(pads[::2]):
        sight = sight.then(-1 - i, Field(1, 1, -before)) if before else sight
    return sight


def _concat(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    parts, dim = args[0], (args[1] if len(args) > 1 else 0)
    sight = join([known[id(t)] for t in parts if id(t) in known], len(shape))
    return sight.unknown(sight.dims[dim])


def _embedding(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    sight = known[id(args[1])]
    return replace(sight, dims=(*sight.dims, NONE))


def _stretched(known: dict[int, Sight], args: Sequence[Any], shape: torch.Size) -> Sight:
    sight = known[id(args[0])]
    return sight.unknown(NONE.union(*sight.dims[2:]))


_NAMES: tuple[tuple[Look, str], ...] = (
    (_convolution, "convolution _convolution"),
    (_pool, "max_pool2d_with_indices max_pool3d_with_indices max_pool1d max_pool2d"),
    (_pool, "avg_pool1d avg_pool2d avg_pool3d"),
    (_adaptive, "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d"),
    (_reduce, "mean sum amax amin var std max linalg_vector_norm logsumexp"),
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
        "expand clone alias detach _to_copy copy_ native_dropout glu split split_with_sizes",
    ),
)
RULES: dict[str, Look] = {name: rule for rule, names in _NAMES for name in names.split()}

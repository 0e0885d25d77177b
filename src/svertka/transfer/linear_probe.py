"""Heads on features that are computed already: the instant baseline, the linear optimum, a small dense stack.

Axes: n vectors of length d, c classes. What each head scores on its own training vectors, left out in turn, is
returned with it, for data without a validation part.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks import Dense, Neighbors
from svertka.common.messages import message

STRENGTHS = tuple(10 ** (k / 2) for k in range(2, -7, -1))  # of the L2 penalty, strong to weak: each starts the next
FOLDS = 5
ROWS = 5_000  # cross-validation looks at no more vectors
USUAL = 0.1  # strength where there are too few examples to choose one
COUNTS = (1, 3, 5, 9, 15)  # of neighbors
MEMORY, STEPS = 10, 500  # of L-BFGS
ROUGH, FINE = 1e-4, 1e-6  # the largest slope left, while a strength is chosen and at the end
EPOCHS, BATCH, PEAK = 60, 64, 2e-3  # of the dense stack


@dataclass(frozen=True, slots=True)
class Head:
    """A head that is ready: (n, d) -> (n, c); `left_out` is its accuracy on training vectors it had not seen."""

    module: nn.Module
    options: dict[str, int]
    left_out: float | None
    detail: str


def nearest(x: Tensor, y: Tensor, classes: int) -> Head:
    """The k most alike training vectors vote; k by leaving each vector out once."""
    unit = F.normalize(x, dim=1)
    most = min(max(COUNTS), len(x) - 1)
    right: dict[int, float] = {}
    if most > 0:
        queries = _some(len(x))  # (m,)
        order = []
        for some in queries.split(1024):
            block = unit[some] @ unit.T  # (b, n)
            block[torch.arange(len(some)), some] = -2.0  # not itself
            order.append(block.topk(most, dim=1).indices)
        votes = F.one_hot(y[torch.cat(order)], classes)  # (m, most, c), nearest first
        right = {k: (votes[:, :k].sum(1).argmax(1) == y[queries]).double().mean().item() for k in COUNTS if k <= most}
    k = max(right, key=lambda count: right[count]) if right else 1
    options = {"count": len(x), "k": k}
    module = Neighbors(x.shape[1], classes, **options)
    module.remember(x, y)
    return Head(module, options, right.get(k), _alike(k, len(x)))


def linear(x: Tensor, y: Tensor, classes: int, groups: Tensor | None = None) -> Head:
    """Multinomial logistic regression with an L2 penalty, at its optimum.

    Features are standardized; the strength of the penalty is the one with the least loss in cross-validation. Both are
    folded into one `nn.Linear`.

    Args:
        x: (n, d).
        y: (n,) in 0..c-1; classes without examples are never answered.
        classes: c.
        groups: (n,) vectors of one group, views of one picture, are always on the same side; each its own where None.
    """
    mean, std = x.double().mean(0), x.double().std(0, correction=0)
    std = torch.where(std > 1e-6 * std.max().clamp_min(1e-12), std, torch.ones_like(std))  # a constant says nothing
    z = (x.double() - mean) / std
    z, basis = _upright(z)
    strength, left_out = _choose(z, y, classes, torch.arange(len(y)) if groups is None else groups)
    w = _solve(z, y, classes, strength)
    weight, bias = w[:, :-1], w[:, -1]
    weight = weight @ basis.T / std  # (c, d)
    module = nn.Linear(x.shape[1], classes)
    with torch.no_grad():
        module.weight.copy_(weight)
        module.bias.copy_(bias - weight @ mean)
    return Head(module, {}, left_out, message("rung.linear", "L2 penalty {strength:.2g}", strength=float(strength)))


def dense(x: Tensor, y: Tensor, classes: int, seed: int = 0) -> Head:
    """One hidden layer by AdamW, on standardized features that are folded into it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mean, std = x.mean(0), x.std(0, correction=0).clamp_min(1e-6)
        z = (x - mean) / std
        module = Dense(x.shape[1], classes).train()
        steps = EPOCHS * -(-len(z) // BATCH)
        optimizer = torch.optim.AdamW(module.parameters(), lr=PEAK, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps + 1)
        for _ in range(EPOCHS):
            for some in torch.randperm(len(z)).split(BATCH):
                loss = F.cross_entropy(module(z[some]), y[some], label_smoothing=0.1)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    first: nn.Linear = module[0]  # type: ignore[assignment]
    with torch.no_grad():
        first.weight.div_(std)
        first.bias.sub_(first.weight @ mean)
    return Head(module.eval(), {}, None, message("rung.dense", "{n} hidden units", n=str(first.out_features)))


def _choose(z: Tensor, y: Tensor, classes: int, groups: Tensor) -> tuple[float, float | None]:
    """The strength with the least held-out loss over stratified folds, and the accuracy there."""
    some = _some(len(y))
    z, y, groups = z[some], y[some], groups[some]
    fold = _folds(y, groups)
    least = torch.bincount(y, minlength=classes)
    if int(least[least > 0].min()) < 2:
        return USUAL, None
    tried: list[tuple[float, float]] = []  # held-out loss and accuracy of each strength
    starts: dict[int, Tensor] = {}
    for strength in STRENGTHS:
        loss = right = 0.0
        for k in range(FOLDS):
            held = fold == k
            if not held.any() or held.all():
                continue
            starts[k] = w = _solve(z[~held], y[~held], classes, strength, starts.get(k), ROUGH)
            logits = z[held] @ w[:, :-1].T + w[:, -1]
            loss += F.cross_entropy(logits, y[held], reduction="sum").item()
            right += int((logits.argmax(1) == y[held]).sum())
        tried.append((loss, right / len(y)))
        if len(tried) > 2 and min(tried[-2:])[0] > min(tried)[0]:
            break  # twice worse than the best: weaker ones only overfit more
    best = min(range(len(tried)), key=lambda i: tried[i][0])
    return STRENGTHS[best], tried[best][1]


def _some(count: int) -> Tensor:
    """At most ROWS of 0..count - 1, in random order: they say enough of all of them."""
    if count <= ROWS:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:ROWS]


def _upright(z: Tensor) -> tuple[Tensor, Tensor]:
    """Features (n, d) along their principal axes (n, r), and the axes (d, r): r = min(n, d) numbers say as much.

    The optimum under an L2 penalty lies in the span of the examples, and the penalty is the same in any such axes.
    """
    if len(z) < z.shape[1]:
        squares, u = torch.linalg.eigh(z @ z.T)  # far quicker than the singular values of z itself
        some = squares > 1e-10 * squares[-1].clamp_min(1e-300)
        length = squares[some].sqrt()
        return u[:, some] * length, z.T @ (u[:, some] / length)
    _, axes = torch.linalg.eigh(z.T @ z)
    return z @ axes, axes


def _folds(y: Tensor, groups: Tensor) -> Tensor:
    """A fold for each vector: the groups of each class are dealt out in turn."""
    fold = torch.zeros_like(y)
    for label in y.unique().tolist():
        rows = (y == label).nonzero()[:, 0]
        _, turn = groups[rows].unique(return_inverse=True)
        fold[rows] = turn % FOLDS
    return fold


def _solve(
    z: Tensor, y: Tensor, classes: int, strength: float, start: Tensor | None = None, tolerance: float = FINE
) -> Tensor:
    """The weights (c, d + 1), bias last, that minimize mean cross-entropy + strength / 2 * |weights|^2.

    L-BFGS (Nocedal and Wright 2006, algorithm 7.4) with the gradient written out, in units in which the curvature along
    principal axes is about 1. `torch.optim` has one too, but its first step imports a compiler, which takes longer than
    all the rest here.
    """
    unit = torch.rsqrt(0.25 * z.square().mean(0) + strength)  # (d,)
    z = torch.cat([z * unit, z.new_full((len(z), 1), 2.0)], dim=1)  # (n, d + 1), the last for the bias
    unit = torch.cat([unit, unit.new_full((1,), 2.0)])
    penalty = strength * unit.square()
    penalty[-1] = 0
    target = F.one_hot(y, classes).to(z) / len(z)  # (n, c)

    def at(v: Tensor) -> tuple[float, Tensor]:
        logits = z @ v.T  # (n, c)
        norm = logits.logsumexp(1, keepdim=True)
        off = torch.exp(logits - norm) / len(z) - target  # (n, c)
        loss = norm.mean() - (logits * target).sum() + (penalty * v.square()).sum() / 2
        return loss.item(), off.T @ z + penalty * v

    v = z.new_zeros(classes, z.shape[1]) if start is None else start / unit
    loss, slope = at(v)
    pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=MEMORY)
    for _ in range(STEPS):
        if slope.abs().max() < tolerance:
            break
        step = _newton(slope, pairs)
        downhill, size = (slope * step).sum().item(), 1.0
        while (new := at(v + size * step))[0] > loss + 1e-4 * size * downhill and size > 1e-9:
            size /= 2  # until the loss falls as the slope promises (Armijo)
        if new[0] >= loss:
            break  # as low as rounding lets it go
        moved, bent = size * step, new[1] - slope
        if (curve := (moved * bent).sum().item()) > 1e-16:
            pairs.append((moved, bent, curve))
        v = v + moved
        loss, slope = new
    return v * unit


def _newton(slope: Tensor, pairs: deque[tuple[Tensor, Tensor, float]]) -> Tensor:
    """The direction of L-BFGS: minus the slope times what the last moves tell of the inverse Hessian."""
    q, shares = -slope, []
    for moved, bent, curve in reversed(pairs):
        share = (moved * q).sum() / curve
        shares.append(share)
        q = q - share * bent
    if pairs:
        _, bent, curve = pairs[-1]
        q = q * (curve / bent.square().sum())
    for (moved, bent, curve), share in zip(pairs, reversed(shares), strict=True):
        q = q + moved * (share - (bent * q).sum() / curve)
    return q


def _alike(k: int, n: int) -> str:
    if k == 1:
        return message("rung.alike-one", "the most alike of {n}", n=n)
    return message("rung.alike", "the {k} most alike of {n}", k=k, n=n)

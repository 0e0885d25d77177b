"""Batch norms over the batches of all processes together, on any device.

Mean and variance are those of the whole batch, and so are their gradients: several processes learn what one would
learn. torch.nn.SyncBatchNorm does this on GPUs only. Where a process has no pictures it takes part with none. Running
statistics follow once all are through with the step: one that is taken again leaves no trace in them.

Ioffe and Szegedy 2015, arXiv:1502.03167; variances are joined as Chan, Golub and LeVeque do (1979, STAN-CS-79-773),
which does not cancel as a mean of squares would.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from svertka.training.distributed.collectives import Exchanges


def together(net: nn.Module, exchanges: Exchanges) -> list[Together]:
    """Let the batch norms of a network measure with those of the other processes, in place; returns them."""
    for module in net.modules():
        if type(module) in TOGETHER:
            module.__class__ = TOGETHER[type(module)]  # the same parameters, buffers, hooks and place in the network
    found = [module for module in net.modules() if isinstance(module, Together)]
    for norm in found:
        norm.exchanges, norm.measured = exchanges, []
    return found


def apart(net: nn.Module) -> None:
    """Let them measure alone again."""
    usual = {ours: theirs for theirs, ours in TOGETHER.items()}
    for module in net.modules():
        if isinstance(module, Together):
            module.__class__ = usual[type(module)]
            del module.exchanges, module.measured


class Together(nn.modules.batchnorm._BatchNorm):
    """What the classes below have in common; a saved network has the class that they are `kept_as`.

    Attributes:
        exchanges: by which they hear of the other processes.
        measured: mean and unbiased variance (c,) of each piece of the step at hand.
    """

    exchanges: Exchanges
    measured: list[tuple[Tensor, Tensor]]

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> the same; in training with the statistics of all processes."""
        if not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        y, mean, variance, count = _Normalized.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps, self.exchanges
        )
        self.measured.append((mean, variance * (count / (count - 1))))  # the unbiased estimate is kept
        return y  # type: ignore[no-any-return]

    def settle(self) -> None:
        """The step is taken: running statistics move by what was measured in it."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            for mean, variance in self.measured:
                self.num_batches_tracked.add_(1)
                share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance, share)
        self.measured.clear()


class _Together1d(Together, nn.BatchNorm1d):
    kept_as = nn.BatchNorm1d


class _Together2d(Together, nn.BatchNorm2d):
    kept_as = nn.BatchNorm2d


class _Together3d(Together, nn.BatchNorm3d):
    kept_as = nn.BatchNorm3d


TOGETHER: dict[type, type] = {
    nn.BatchNorm1d: _Together1d,
    nn.BatchNorm2d: _Together2d,
    nn.BatchNorm3d: _Together3d,
}


class _Normalized(torch.autograd.Function):
    """weight (x - mean) / sqrt(variance + eps) + bias over the batches of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, exchanges: Exchanges
    ) -> tuple[Tensor, ...]:
        mean, variance, count = _statistics(x, exchanges)  # (c,), (c,), ()
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if weight is None else weight * inverse
        shift = -mean * scale if bias is None else bias - mean * scale
        y = torch.addcmul(_wide(shift, x), x, _wide(scale, x)).to(x.dtype)  # (n, c, *size)
        ctx.save_for_backward(x, mean, inverse, scale, count)
        ctx.affine, ctx.exchanges = (weight is not None, bias is not None), exchanges
        ctx.mark_non_differentiable(mean, variance, count)
        return y, mean, variance, count

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, inverse, scale, count = ctx.saved_tensors
        axes, c = _axes(x), x.shape[1]
        along = (x - _wide(mean, x)) * _wide(inverse, x)  # (n, c, *size), the normalized x
        sums = torch.cat([part.float().sum(axes) for part in (dy, dy * along)])  # (2c,)
        weight, bias = (sums[c:] if ctx.affine[0] else None), (sums[:c] if ctx.affine[1] else None)  # of this process
        whole = sums.clone()
        ctx.exchanges.sum(whole)
        level, slope = (_wide(half / count, x) for half in whole.chunk(2))
        dx = _wide(scale, x) * (dy - level - along * slope)
        return dx.to(x.dtype), weight, bias, None, None


def _statistics(x: Tensor, exchanges: Exchanges) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance (c,) of each channel, and how many numbers each has, over all processes: float32."""
    c, n = x.shape[1], x.numel() // x.shape[1]
    row = torch.zeros(2 * c + 1, dtype=torch.float64, device=x.device)
    if n:
        variance, mean = torch.var_mean(x.float(), _axes(x), correction=0)
        row = torch.cat([mean.double(), n * variance.double(), row.new_full((1,), n)])
    rows = exchanges.rows(row)  # (processes, 2c + 1)
    means, squares, counts = rows[:, :c], rows[:, c : 2 * c], rows[:, 2 * c :]
    count = counts.sum()
    mean = (means * counts).sum(0) / count
    variance = (squares + counts * (means - mean).square()).sum(0) / count
    return mean.float(), variance.float(), count.float()


def _axes(x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def _wide(values: Tensor, x: Tensor) -> Tensor:
    """(c,) -> (1, c, 1, ...), to be combined with x."""
    return values.view(1, -1, *[1] * (x.ndim - 2))

"""The two operations that do one thing in training and another afterwards: dropout and batch norm.

    dropout      y = x * keep / (1 - p)                 each keep is 1 with probability 1 - p, else 0
                 afterwards:  y = x
    batchnorm    y[n, c, k] = (x[n, c, k] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]
                 mean and variance are those of the batch;  afterwards:  running averages, now fixed

- Dropout draws `keep` from torch's own generator, as the library does: from the same state of it all forms
  drop the same numbers (on a CPU; a GPU draws in an order of its own).
- Batch norm is given its statistics afterwards, and takes the batch's where they are None: so it is a pure
  function, and the running averages are a function of their own, `running`. The batch is divided by its
  variance over n; the running average takes that over n - 1 (as PyTorch).
- After training batch norm is a diagonal matrix and a shift, which is why it can be folded into the
  convolution before.

Source: Srivastava et al. 2014; Ioffe and Szegedy 2015, arXiv:1502.03167.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.errors import ShapeError, UsageError
from svertka.ops.forms import Case, Operation, fill


def dropout_front(x: Tensor, p: float = 0.5, training: bool = True) -> tuple[Tensor, float, bool]:
    """Check a call: x is of any shape; `p` is the share that is dropped, 0 <= p < 1.

    Raises:
        UsageError: the share is out of range.
    """
    if not 0 <= p < 1:
        raise UsageError(f"Dropout drops a share p with 0 <= p < 1; received {p}.")
    return x, p, training


def dropout_definition(x: Tensor, p: float, training: bool) -> Tensor:
    """Each number stays, enlarged, or becomes 0; the enlarging keeps the sum as it was, on average."""
    if not training:
        return x
    keep = torch.empty_like(x).bernoulli_(1 - p)
    return fill(x.shape, lambda *at: x[at] / (1 - p) if keep[at] else 0 * x[at])


def dropout_matrix(x: Tensor, p: float, training: bool) -> Tensor:
    """A diagonal matrix of keep / (1 - p), drawn anew each time."""
    if not training:
        return x
    keep = torch.empty_like(x).bernoulli_(1 - p)
    return (torch.diag(keep.flatten() / (1 - p)) @ x.flatten()).reshape(x.shape)


def batchnorm_front(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    mean: Tensor | None = None,
    variance: Tensor | None = None,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, float]:
    """Check a call of batch norm.

    Args:
        x: (n, channels, *size).
        weight: (channels,), the scale afterwards; ones where None.
        bias: (channels,), the shift afterwards; zeros where None.
        mean: (channels,), the running mean; that of the batch where None (training).
        variance: (channels,), the running variance; that of the batch where None (training).
        eps: added to the variance, against division by zero.

    Raises:
        ShapeError: a tensor is not of one number a channel, or in training a channel has only one number.
        UsageError: only one of the two statistics is given.
    """
    channels = x.shape[1] if x.ndim > 1 else 0
    given = {"weight": weight, "bias": bias, "mean": mean, "variance": variance}
    for name, tensor in given.items():
        if tensor is not None and tensor.shape != (channels,):
            raise ShapeError(
                f"Batch norm takes one {name} for each of {channels} channels; received shape {tuple(tensor.shape)}."
            )
    if (mean is None) != (variance is None):
        raise UsageError("Batch norm takes mean and variance together (afterwards) or neither (training).")
    if mean is None and x.numel() <= channels:
        raise ShapeError(f"In training a channel needs at least two numbers; received shape {tuple(x.shape)}.")
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    return x, weight, bias, mean, variance, eps


def batchnorm_definition(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor | None, variance: Tensor | None, eps: float
) -> Tensor:
    """The formula above, number by number."""
    if mean is None or variance is None:
        mean, variance = statistics(x)
    scale = torch.sqrt(variance + eps)

    def number(n: int, c: int, *k: int) -> Tensor:
        return (x[n, c, *k] - mean[c]) / scale[c] * weight[c] + bias[c]

    return fill(x.shape, number)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (over n) of each channel, in loops: (n, c, *size) -> (c,), (c,)."""
    channels = [[v for picture in x for v in picture[c].flatten()] for c in range(x.shape[1])]
    means = [reduce(add, values) / len(values) for values in channels]
    spread = [reduce(add, ((v - m) ** 2 for v in values)) for values, m in zip(channels, means, strict=True)]
    return torch.stack(means), torch.stack(spread) / len(channels[0])


def batchnorm_matrix(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor | None, variance: Tensor | None, eps: float
) -> Tensor:
    """Every place a row of channels: the mean is a row of ones times them, the scaling a diagonal matrix."""
    rows = x.movedim(1, -1).flatten(0, -2)  # (n * places, c)
    if mean is None or variance is None:
        share = rows.new_full((len(rows),), 1 / len(rows))
        mean = share @ rows  # (c,)
        variance = share @ (rows - mean) ** 2  # (c,)
    y = (rows - mean) @ torch.diag(weight / torch.sqrt(variance + eps)) + bias  # (n * places, c)
    return y.reshape(len(x), *x.shape[2:], -1).movedim(-1, 1)  # (n, c, *size)


def batchnorm_call(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor | None, variance: Tensor | None, eps: float
) -> Tensor:
    """The library's call."""
    return F.batch_norm(x, mean, variance, weight, bias, training=mean is None, eps=eps)


def running(mean: Tensor, variance: Tensor, x: Tensor, momentum: float = 0.1) -> tuple[Tensor, Tensor]:
    """The running statistics, (c,) and (c,), after another batch x (n, c, *size) of training.

    >>> mean, variance = running(torch.zeros(1), torch.ones(1), torch.tensor([[[1.0, 3.0]]]))
    >>> mean, variance                              # 0.9 * 0 + 0.1 * 2 and 0.9 * 1 + 0.1 * 2
    (tensor([0.2000]), tensor([1.1000]))
    """
    rows = x.movedim(1, -1).flatten(0, -2)  # (n * places, c)
    return mean.lerp(rows.mean(0), momentum), variance.lerp(rows.var(0), momentum)


dropout = Operation(
    "dropout",
    "y = x * keep / (1 - p), each keep 1 with probability 1 - p, else 0; afterwards y = x",
    dropout_front,
    {"definition": dropout_definition, "matrix": dropout_matrix, "torch": F.dropout},
    (
        Case(((3, 4),)),
        Case(((2, 2, 5),), {"p": 0.2}),
        Case(((3,),), {"p": 0.0}),
        Case(((5,),), {"training": False}),
    ),
)
_AFTERWARDS = {"mean": torch.tensor([0.5, -2.0, 0.0]), "variance": torch.tensor([0.1, 1.0, 4.0])}
batchnorm = Operation(
    "batchnorm",
    "y[n, c, k] = (x[n, c, k] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]",
    batchnorm_front,
    {"definition": batchnorm_definition, "matrix": batchnorm_matrix, "torch": batchnorm_call},
    (
        Case(((4, 3), (3,), (3,))),
        Case(((2, 2, 5), (2,), None)),
        Case(((2, 2, 3, 2), None, None), {"eps": 0.1}),
        Case(((2, 3, 2, 2), (3,), (3,)), _AFTERWARDS),
        Case(((1, 3, 4), None, None), _AFTERWARDS),
    ),
)

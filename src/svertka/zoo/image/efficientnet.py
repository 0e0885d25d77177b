"""EfficientNet: one small network found by a search, made deeper, wider and finer in fixed proportion.

Tan and Le 2019, arXiv:1905.11946 (B0-B7) and 2021, arXiv:2104.00298 (v2-S, whose early blocks fuse widening
and depthwise convolution into one full convolution). Notable choices:
- batch norm's epsilon is torchvision's, which differs between the sizes; its momentum is PyTorch's usual one;
- stochastic depth is off unless `drop_path` says otherwise (0.2 in the papers); it grows from block to block;
- `padding="tensorflow"` pads as the authors' own weights want it (see svertka.blocks.conv).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from svertka.blocks import (
    ConvNorm,
    InvertedResidual,
    Net,
    SqueezeExcite,
    StochasticDepth,
    he_normal,
    round_width,
    saved_as,
)
from svertka.zoo.registry import Renames, Variant


class Stage(NamedTuple):
    """One row of table 1: the first block has the stride; inside are `expansion` times as many channels."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    depth: int
    fused: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One network: size of the input, factors of width and depth, and what training needs."""

    size: int
    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.2
    eps: float = 1e-5
    stem: int = 32
    stages: tuple[Stage, ...] = (
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(6, 5, 2, 40, 2),
        Stage(6, 3, 2, 80, 3),
        Stage(6, 5, 1, 112, 3),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    )
    last: int | None = None  # channels after the last stage; 4 times its own where None


V2_S = Plan(
    384,
    eps=1e-3,
    stem=24,
    stages=(
        Stage(1, 3, 1, 24, 2, fused=True),
        Stage(4, 3, 2, 48, 4, fused=True),
        Stage(4, 3, 2, 64, 4, fused=True),
        Stage(4, 3, 2, 128, 6),
        Stage(6, 3, 1, 160, 9),
        Stage(6, 3, 2, 256, 15),
    ),
    last=1280,
)

PLANS = {
    "efficientnet_b0": Plan(224),
    "efficientnet_b1": Plan(240, 1.0, 1.1, 0.2),
    "efficientnet_b2": Plan(260, 1.1, 1.2, 0.3),
    "efficientnet_b3": Plan(300, 1.2, 1.4, 0.3),
    "efficientnet_b4": Plan(380, 1.4, 1.8, 0.4),
    "efficientnet_b5": Plan(456, 1.6, 2.2, 0.4, eps=1e-3),
    "efficientnet_b6": Plan(528, 1.8, 2.6, 0.5, eps=1e-3),
    "efficientnet_b7": Plan(600, 2.0, 3.1, 0.5, eps=1e-3),
    "efficientnet_v2_s": V2_S,
}


@saved_as("efficientnet.FusedInvertedResidual", keeps=("residual",))
class FusedInvertedResidual(nn.Module):
    """Widen and look around at once, narrow; around it the input: (n, c_in, h, w) -> (n, c_out, h', w').

    Figure 2 of the second paper. Where nothing is widened one convolution is left.
    """

    def __init__(
        self,
        c_in: int,
        hidden: int,
        c_out: int,
        *,
        kernel: int,
        stride: int,
        drop: float,
        conv: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        widens = hidden != c_in
        self.fused = conv(c_in, hidden if widens else c_out, kernel, stride)
        self.project = conv(hidden, c_out, 1, act=None) if widens else nn.Identity()
        self.drop = StochasticDepth(drop) if drop else nn.Identity()
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y: Tensor = self.fused(x)  # (n, hidden, h', w')
        y = self.project(y)  # (n, c_out, h', w')
        if self.residual:
            y = self.drop(y).add_(x)  # in place, without a pass over new memory
        return y


def efficientnet(
    plan: Plan,
    *,
    classes: int = 1000,
    channels: int = 3,
    padding: str = "symmetric",
    dropout: float | None = None,
    drop_path: float = 0.0,
) -> Net:
    """An EfficientNet: (n, channels, h, w) -> (n, classes).

    Args:
        plan: one of PLANS.
        classes: outputs.
        channels: input channels.
        padding: "symmetric" or "tensorflow".
        dropout: share of the embedding that training hides from the head; the plan's where None.
        drop_path: share of samples for which training skips the last block; ever less towards the start.

    Raises:
        UnknownName: there is no such padding.
    """
    conv = partial(ConvNorm, act=nn.SiLU, eps=plan.eps, padding=padding)
    c_in = round_width(plan.stem * plan.width)
    stem = conv(channels, c_in, 3, 2)  # (n, 32, h/2, w/2) for B0

    depths = [math.ceil(row.depth * plan.depth) for row in plan.stages]
    drops = iter(drop_path * k / sum(depths) for k in range(sum(depths)))
    stages = nn.Sequential()
    for row, depth in zip(plan.stages, depths, strict=True):
        c_out = round_width(row.channels * plan.width)
        stages.append(nn.Sequential(*blocks(row, c_in, c_out, depth, drops, conv)))
        c_in = c_out  # after the last: (n, 320, h/32, w/32) for B0
    last = plan.last or 4 * c_in
    stages.append(conv(c_in, last, 1))  # (n, 1280, h/32, w/32) for B0

    share = plan.dropout if dropout is None else dropout
    linear = nn.Linear(last, classes)
    head = nn.Sequential(OrderedDict(dropout=nn.Dropout(share), linear=linear))
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=head)
    he_normal(net)
    nn.init.uniform_(linear.weight, -(classes**-0.5), classes**-0.5)
    nn.init.zeros_(linear.bias)
    return net


def blocks(
    row: Stage, c_in: int, c_out: int, depth: int, drops: Iterator[float], conv: Callable[..., nn.Module]
) -> Iterator[nn.Module]:
    """The blocks of one stage."""
    for step in (row.stride, *[1] * (depth - 1)):
        hidden = c_in * row.expansion
        shape: dict[str, Any] = {"kernel": row.kernel, "stride": step, "drop": next(drops), "conv": conv}
        if row.fused:
            yield FusedInvertedResidual(c_in, hidden, c_out, **shape)
        else:
            excite = SqueezeExcite(hidden, c_in // 4, act=nn.SiLU)
            yield InvertedResidual(c_in, hidden, c_out, act=nn.SiLU, excite=excite, **shape)
        c_in = c_out


def torchvision_renames(plan: Plan) -> Renames:
    """torchvision numbers the parts that a block has: features.<stage + 1>.<block>.block.<part>."""
    rules: list[tuple[str, str]] = []
    for i, row in enumerate(plan.stages):
        widens = row.expansion > 1
        if row.fused:
            parts = ["fused"] + ["project"] * widens
        else:
            parts = ["expand"] * widens + ["depthwise", "excite", "project"]
        rules += [
            (rf"^features\.{i + 1}\.(\d+)\.block\.{k}\.", rf"stages.{i}.\1.{part}.") for k, part in enumerate(parts)
        ]
    last = len(plan.stages)
    return (
        *rules,
        (r"^features\.0\.", "stem."),
        (rf"^features\.{last + 1}\.", f"stages.{last}."),
        (rf"(stem|expand|fused|depthwise|project|^stages\.{last})\.0\.", r"\1.conv."),
        (rf"(stem|expand|fused|depthwise|project|^stages\.{last})\.1\.", r"\1.norm."),
        (r"\.fc1\.", ".reduce."),
        (r"\.fc2\.", ".restore."),
        (r"^classifier\.1\.", "head.linear."),
    )


VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(efficientnet, plan),
        size=plan.size,
        least=1,
        source="Tan and Le 2021, arXiv:2104.00298" if plan is V2_S else "Tan and Le 2019, arXiv:1905.11946",
        renames={"torchvision": torchvision_renames(plan)},
    )
    for name, plan in PLANS.items()
)

"""MobileNet v3: the blocks of v2, sized by a search, with squeeze and excitation and a cheap smooth ramp.

Howard et al. 2019, arXiv:1905.02244. Notable choices:
- at another `width` blocks keep their expansion, and below 1 the layer before the logits keeps its width, as
  in TensorFlow's published weights;
- batch norm's epsilon is that of torchvision's and of Keras's weights, its momentum PyTorch's usual one: with
  theirs a short training would leave running statistics that are still half made up;
- `padding="tensorflow"` pads as Keras's weights want it (see svertka.blocks.conv).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

from torch import nn

from svertka.blocks import ConvNorm, InvertedResidual, Net, SqueezeExcite, he_normal, round_width
from svertka.errors import UsageError
from svertka.zoo.registry import Renames, Variant

RE, HS = nn.ReLU, nn.Hardswish
SE, NO = True, False


class Row(NamedTuple):
    """One block of tables 1 and 2."""

    kernel: int
    hidden: int
    channels: int
    excite: bool
    act: type[nn.Module]
    stride: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One network: its blocks, and the width of the layer between embedding and logits."""

    rows: tuple[Row, ...]
    last: int


LARGE = Plan(
    last=1280,
    rows=(
        Row(3, 16, 16, NO, RE, 1),
        Row(3, 64, 24, NO, RE, 2),
        Row(3, 72, 24, NO, RE, 1),
        Row(5, 72, 40, SE, RE, 2),
        Row(5, 120, 40, SE, RE, 1),
        Row(5, 120, 40, SE, RE, 1),
        Row(3, 240, 80, NO, HS, 2),
        Row(3, 200, 80, NO, HS, 1),
        Row(3, 184, 80, NO, HS, 1),
        Row(3, 184, 80, NO, HS, 1),
        Row(3, 480, 112, SE, HS, 1),
        Row(3, 672, 112, SE, HS, 1),
        Row(5, 672, 160, SE, HS, 2),
        Row(5, 960, 160, SE, HS, 1),
        Row(5, 960, 160, SE, HS, 1),
    ),
)
SMALL = Plan(
    last=1024,
    rows=(
        Row(3, 16, 16, SE, RE, 2),
        Row(3, 72, 24, NO, RE, 2),
        Row(3, 88, 24, NO, RE, 1),
        Row(5, 96, 40, SE, HS, 2),
        Row(5, 240, 40, SE, HS, 1),
        Row(5, 240, 40, SE, HS, 1),
        Row(5, 120, 48, SE, HS, 1),
        Row(5, 144, 48, SE, HS, 1),
        Row(5, 288, 96, SE, HS, 2),
        Row(5, 576, 96, SE, HS, 1),
        Row(5, 576, 96, SE, HS, 1),
    ),
)


def places(plan: Plan) -> list[tuple[int, int]]:
    """Stage and place in it of every block; a stage begins where the resolution halves."""
    found = [(0, 0)]
    for row in plan.rows[1:]:
        stage, block = found[-1]
        found.append((stage + 1, 0) if row.stride == 2 else (stage, block + 1))
    return found


def mobilenet_v3(
    plan: Plan,
    *,
    classes: int = 1000,
    channels: int = 3,
    width: float = 1.0,
    padding: str = "symmetric",
    eps: float = 1e-3,
    dropout: float = 0.2,
) -> Net:
    """A MobileNet v3: (n, channels, h, w) -> (n, classes).

    Args:
        plan: LARGE or SMALL.
        classes: outputs.
        channels: input channels.
        width: multiplies the channels of every layer but the last.
        padding: "symmetric" or "tensorflow".
        eps: what batch norm adds to the variance.
        dropout: share of the last layer that training hides from the logits.

    Raises:
        UsageError: the width is not positive.
        UnknownName: there is no such padding.
    """
    if not width > 0:
        raise UsageError(f"width multiplies the channels and must be positive, not {width:g}.")
    conv = partial(ConvNorm, eps=eps, padding=padding)
    c_in, published = round_width(16 * width), 16
    stem = conv(channels, c_in, 3, 2, act=HS)  # (n, 16, h/2, w/2) at width 1
    stages = nn.Sequential()
    for row, (_, place) in zip(plan.rows, places(plan), strict=True):
        if place == 0:
            stages.append(nn.Sequential())
        hidden, c_out = round_width(c_in * row.hidden / published), round_width(row.channels * width)
        excite = SqueezeExcite(hidden, round_width(hidden // 4), gate=nn.Hardsigmoid) if row.excite else None
        block = InvertedResidual(
            c_in, hidden, c_out, kernel=row.kernel, stride=row.stride, act=row.act, excite=excite, conv=conv
        )
        cast(nn.Sequential, stages[-1]).append(block)
        c_in, published = c_out, row.channels  # after the last: (n, 160 or 96, h/32, w/32)
    stages.append(conv(c_in, 6 * c_in, 1, act=HS))  # (n, 960 or 576, h/32, w/32)

    last = round_width(plan.last * max(1.0, width))
    hidden_layer, linear = nn.Linear(6 * c_in, last), nn.Linear(last, classes)
    head = nn.Sequential(
        OrderedDict(hidden=hidden_layer, act=HS(inplace=True), dropout=nn.Dropout(dropout), linear=linear)
    )
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=head)
    he_normal(net)
    for layer in (hidden_layer, linear):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    return net


def torchvision_renames(plan: Plan) -> Renames:
    """torchvision numbers blocks and the parts they have: features.<block>.block.<part>."""
    blocks: list[tuple[str, str]] = []
    for number, (row, (i, j)) in enumerate(zip(plan.rows, places(plan), strict=True), start=1):
        widens = number > 1  # the first block of either network is as wide as the stem
        parts = ["expand"] * widens + ["depthwise"] + ["excite"] * row.excite + ["project"]
        blocks += [(rf"^features\.{number}\.block\.{k}\.", f"stages.{i}.{j}.{part}.") for k, part in enumerate(parts)]
    return (
        *blocks,
        (r"^features\.0\.", "stem."),
        (rf"^features\.{len(plan.rows) + 1}\.", f"stages.{places(plan)[-1][0] + 1}."),
        (r"(stem|expand|depthwise|project|^stages\.\d)\.0\.(weight)", r"\1.conv.\2"),
        (r"(stem|expand|depthwise|project|^stages\.\d)\.1\.(weight|bias|running|num)", r"\1.norm.\2"),
        (r"\.fc1\.", ".reduce."),
        (r"\.fc2\.", ".restore."),
        (r"^classifier\.0\.", "head.hidden."),
        (r"^classifier\.3\.", "head.linear."),
    )


WIDTHS = {
    "mobilenet_v3_large": (LARGE, 1.0),
    "mobilenet_v3_large_075": (LARGE, 0.75),
    "mobilenet_v3_small": (SMALL, 1.0),
    "mobilenet_v3_small_075": (SMALL, 0.75),
}

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(mobilenet_v3, plan, width=width),
        size=224,
        least=1,
        source="Howard et al. 2019, arXiv:1905.02244",
        renames={"torchvision": torchvision_renames(plan)},
    )
    for name, (plan, width) in WIDTHS.items()
)

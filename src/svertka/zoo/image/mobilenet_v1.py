"""MobileNet: a convolution in two steps, one that looks around in each channel and one that mixes channels.

Howard et al. 2017, arXiv:1704.04861, with one departure: activations stop at 6, as in all published weights.
`padding="tensorflow"` pads as those weights want it (see svertka.blocks.conv).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from svertka.blocks import ConvNorm, Net, he_normal
from svertka.errors import UsageError
from svertka.zoo.registry import Renames, Variant

# Table 1, a stage in a row: channels, and blocks, of which the first has stride 2 (not in stage one).
STAGES = ((64, 1), (128, 2), (256, 2), (512, 6), (1024, 2))
WIDTHS = {"mobilenet_v1": 1.0, "mobilenet_v1_025": 0.25, "mobilenet_v1_050": 0.5, "mobilenet_v1_075": 0.75}


def separable(c_in: int, c_out: int, stride: int, conv: partial[ConvNorm]) -> nn.Sequential:
    """Figure 3, right: (n, c_in, h, w) -> (n, c_out, h/stride, w/stride)."""
    return nn.Sequential(
        OrderedDict(
            depthwise=conv(c_in, c_in, 3, stride, groups=c_in),  # (n, c_in, h/stride, w/stride)
            pointwise=conv(c_in, c_out, 1),  # (n, c_out, h/stride, w/stride)
        )
    )


def mobilenet_v1(
    *,
    classes: int = 1000,
    channels: int = 3,
    width: float = 1.0,
    padding: str = "symmetric",
    eps: float = 1e-3,
    dropout: float = 0.001,
) -> Net:
    """A MobileNet: (n, channels, h, w) -> (n, classes).

    Args:
        classes: outputs.
        channels: input channels.
        width: multiplies the channels of every layer.
        padding: "symmetric" or "tensorflow".
        eps: what batch norm adds to the variance.
        dropout: share of the embedding that training hides from the head.

    Raises:
        UsageError: the width leaves a layer without a channel.
        UnknownName: there is no such padding.
    """
    if int(32 * width) < 1:
        raise UsageError(f"width={width:g} leaves the first layer without a channel; 1/32 is the least.")
    conv = partial(ConvNorm, act=nn.ReLU6, eps=eps, padding=padding)
    c_in = int(32 * width)
    stem = conv(channels, c_in, 3, 2)  # (n, 32, h/2, w/2) at width 1
    stages = nn.Sequential()
    for number, (c, depth) in enumerate(STAGES):
        c_out, stride = int(c * width), 2 if number else 1
        first = separable(c_in, c_out, stride, conv)
        stages.append(nn.Sequential(first, *(separable(c_out, c_out, 1, conv) for _ in range(depth - 1))))
        c_in = c_out  # after the last: (n, 1024, h/32, w/32)

    head = nn.Sequential(OrderedDict(dropout=nn.Dropout(dropout), linear=nn.Linear(c_in, classes)))
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=head)
    he_normal(net)
    return net


def keras_renames() -> Renames:
    """Keras counts the blocks through and calls the last layer a convolution (conv_preds)."""
    places = [f"stages.{i}.{j}" for i, (_, depth) in enumerate(STAGES) for j in range(depth)]
    return (
        (r"_bn/", "/norm/"),
        (r"^(conv1|conv_[dp]w_\d+)/(?!norm)", r"\1/conv/"),
        (r"^conv1/", "stem/"),
        *((rf"^conv_dw_{k}/", f"{place}/depthwise/") for k, place in enumerate(places, start=1)),
        *((rf"^conv_pw_{k}/", f"{place}/pointwise/") for k, place in enumerate(places, start=1)),
        (r"^conv_preds/", "head/linear/"),
        (r"(gamma|kernel|depthwise_kernel)$", "weight"),
        (r"beta$", "bias"),
        (r"moving_mean$", "running_mean"),
        (r"moving_variance$", "running_var"),
        (r"/", "."),
    )


VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(mobilenet_v1, width=width),
        size=224,
        least=1,
        source="Howard et al. 2017, arXiv:1704.04861",
        renames={"keras": keras_renames()},
        settings={"keras": {"padding": "tensorflow"}},
    )
    for name, width in WIDTHS.items()
)

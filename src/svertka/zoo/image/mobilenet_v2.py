"""MobileNet v2: residual blocks turned inside out, wide in the middle, narrow and linear at the ends.

Sandler et al. 2018, arXiv:1801.04381. Notable choices:
- widths are multiples of 8, and the last layer never gets narrower than 1280, as in all published weights;
- weights come from two worlds. torchvision's want symmetric padding and a batch norm epsilon of 1e-5 (the
  default here), those of Keras and TensorFlow `padding="tensorflow", eps=1e-3`.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from svertka.blocks import ConvNorm, InvertedResidual, Net, he_normal, round_width
from svertka.errors import UsageError
from svertka.zoo.registry import Renames, Variant

# Table 2: expansion, channels, blocks, stride of the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
PLACES = [f"stages.{i}.{j}." for i, (_, _, depth, _) in enumerate(STAGES) for j in range(depth)]
LAST = f"stages.{len(STAGES)}."

WIDTHS = {
    "mobilenet_v2": 1.0,
    "mobilenet_v2_035": 0.35,
    "mobilenet_v2_050": 0.5,
    "mobilenet_v2_075": 0.75,
    "mobilenet_v2_130": 1.3,
    "mobilenet_v2_140": 1.4,
}


def mobilenet_v2(
    *,
    classes: int = 1000,
    channels: int = 3,
    width: float = 1.0,
    padding: str = "symmetric",
    eps: float = 1e-5,
    dropout: float = 0.2,
) -> Net:
    """A MobileNet v2: (n, channels, h, w) -> (n, classes). Its embedding has 1280 numbers up to width 1.

    Args:
        classes: outputs.
        channels: input channels.
        width: multiplies the channels of every layer but the last.
        padding: "symmetric" or "tensorflow".
        eps: what batch norm adds to the variance.
        dropout: share of the embedding that training hides from the head.

    Raises:
        UsageError: the width is not positive.
        UnknownName: there is no such padding.
    """
    if not width > 0:
        raise UsageError(f"width multiplies the channels and must be positive, not {width:g}.")
    conv = partial(ConvNorm, act=nn.ReLU6, eps=eps, padding=padding)
    c_in = round_width(32 * width)
    stem = conv(channels, c_in, 3, 2)  # (n, 32, h/2, w/2) at width 1
    stages = nn.Sequential()
    for expansion, c, depth, stride in STAGES:
        stage = nn.Sequential()
        for step in (stride, *[1] * (depth - 1)):
            c_out = round_width(c * width)
            stage.append(InvertedResidual(c_in, c_in * expansion, c_out, stride=step, conv=conv))
            c_in = c_out
        stages.append(stage)  # at last (n, 320, h/32, w/32)
    c_out = round_width(1280 * max(1.0, width))
    stages.append(conv(c_in, c_out, 1))  # (n, 1280, h/32, w/32)

    linear = nn.Linear(c_out, classes)
    head = nn.Sequential(OrderedDict(dropout=nn.Dropout(dropout), linear=linear))
    net = Net(stem, stages, pool=nn.AdaptiveAvgPool2d(1), head=head)
    he_normal(net)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    return net


# torchvision numbers blocks and layers: features.<block>.conv.<layer>; the first block has no `expand`.
TORCHVISION: Renames = (
    (r"^features\.0\.", "stem."),
    (r"^features\.18\.", LAST),
    *((rf"^features\.{k}\.conv\.", place) for k, place in enumerate(PLACES, start=1)),
    (rf"^{PLACES[0]}0\.", f"{PLACES[0]}depthwise."),
    (rf"^{PLACES[0]}1\.", f"{PLACES[0]}project.conv."),
    (rf"^{PLACES[0]}2\.", f"{PLACES[0]}project.norm."),
    (r"^(stages\.\d\.\d\.)0\.", r"\1expand."),
    (r"^(stages\.\d\.\d\.)1\.", r"\1depthwise."),
    (r"^(stages\.\d\.\d\.)2\.", r"\1project.conv."),
    (r"^(stages\.\d\.\d\.)3\.", r"\1project.norm."),
    (rf"^(stem\.|{LAST}|.*\.expand\.|.*\.depthwise\.)0\.", r"\1conv."),
    (rf"^(stem\.|{LAST}|.*\.expand\.|.*\.depthwise\.)1\.", r"\1norm."),
    (r"^classifier\.1\.", "head.linear."),
)

# Keras: block_<k>_<part>/<tensor> and block_<k>_<part>_BN/<tensor>.
KERAS: Renames = (
    (r"^Conv1/", "stem.conv/"),
    (r"^bn_Conv1/", "stem.norm/"),
    (r"^Conv_1/", f"{LAST}conv/"),
    (r"^Conv_1_bn/", f"{LAST}norm/"),
    (r"^predictions/", "head.linear/"),
    (r"^expanded_conv_", PLACES[0]),
    *((rf"^block_{k}_", place) for k, place in enumerate(PLACES[1:], start=1)),
    (r"_BN/", ".norm/"),
    (r"(expand|depthwise|project)/", r"\1.conv/"),
    (r"/(gamma|kernel|depthwise_kernel)$", ".weight"),
    (r"/(beta|bias)$", ".bias"),
    (r"/moving_mean$", ".running_mean"),
    (r"/moving_variance$", ".running_var"),
)

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(
        name,
        partial(mobilenet_v2, width=width),
        size=224,
        least=1,
        source="Sandler et al. 2018, arXiv:1801.04381",
        renames={"torchvision": TORCHVISION, "keras": KERAS},
        settings={"keras": {"padding": "tensorflow", "eps": 1e-3}},
    )
    for name, width in WIDTHS.items()
)

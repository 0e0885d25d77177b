"""Fresh weights for networks of convolutions and ReLUs.

He et al. 2015, arXiv:1502.01852, equation 10: each layer keeps the variance of what passes through it, so
that a deep network without batch norm learns at all. Papers before it drew from one narrow normal
distribution and had to train shallow networks first (VGG) or add biases of one (AlexNet).
"""

from __future__ import annotations

from torch import nn

from svertka.blocks import Net

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)


def he(net: Net) -> Net:
    """The same network, weights by He's rule, biases zero, last layers so small that no class leads."""
    layers = [m for m in net.modules() if isinstance(m, WEIGHTED)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for head in (net.head, *getattr(net, "aux", {}).values()):
        last = [m for m in head.modules() if isinstance(m, WEIGHTED)][-1]
        nn.init.normal_(last.weight, std=0.1 / last.weight[0].numel() ** 0.5)
    return net

"""A first layer that is measured instead of learned: it takes apart what neighboring pixels have in common.

Neighbors in a picture are nearly equal, so a fresh network spends its first passes on learning to subtract them. The
principal components of small patches, each scaled to unit variance, do that at once; with their negatives beside them
nothing is lost in the ReLU that follows. (Page 2019, "How to train your ResNet"; Jordan 2024, arXiv:2404.00498,
section 3.2.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.saved import saved_as

FLOOR = 5e-4  # added to every variance, so that directions of pure noise are not blown up (arXiv:2404.00498)
MOST = 1 << 20  # patches that are measured: each component of a patch has long settled by then


@saved_as("Whitening", keeps=None)
class Whitening(nn.Conv2d):
    """Convolution with the strongest `components` of the data's patches, and with their negatives.

    Shapes: (n, c, h, w) -> (n, 2 * components, h // stride, w // stride). Its filters are a buffer: they are
    saved with the weights, and no optimizer moves them. Until `measure` they are random and orthonormal.

    Args:
        channels: of the input.
        stride: step between patches, even; a patch is twice as wide, so that neighbors overlap by half.
        components: how many are kept, channels * (2 * stride)² at most.
    """

    weight: Tensor

    def __init__(self, channels: int, stride: int, components: int) -> None:
        kernel = 2 * stride
        components = min(components, channels * kernel**2)
        super().__init__(channels, 2 * components, kernel, stride, stride // 2, bias=False)
        self.channels, self.components = channels, components
        del self._parameters["weight"]
        weight = torch.empty(2 * components, channels, kernel, kernel)
        if not weight.is_meta:  # arithmetic without storage would import PyTorch's compiler: 0.7 s
            weight = self._filters(nn.init.orthogonal_(torch.empty(components, channels * kernel**2)))
        self.register_buffer("weight", weight)

    @torch.no_grad()
    def measure(self, x: Tensor) -> None:
        """Take the filters from inputs like those to come: x (n, c, h, w), normalized, of the training part."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        each = max(1, (x.shape[2] // stride) * (x.shape[3] // stride))  # patches of a picture
        x = x[: max(1, MOST // each)].float()
        patches = F.unfold(x, kernel, stride=stride).transpose(1, 2).flatten(0, 1).double()  # (m, d)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # ascending; columns
        scaled = directions / torch.sqrt(variances + FLOOR)  # (d, d)
        strongest = scaled.T.flip(0)[: self.out_channels // 2]
        self.weight.copy_(self._filters(strongest.to(self.weight)))

    def _filters(self, directions: Tensor) -> Tensor:
        both = torch.cat([directions, -directions])
        return both.view(self.out_channels, self.in_channels, *self.kernel_size)


def measure_whitening(net: nn.Module, x: Tensor) -> None:
    """Measure every `Whitening` of a fresh network on x (n, c, h, w); other networks stay as they are."""
    for part in net.modules():
        if isinstance(part, Whitening):
            part.measure(x)

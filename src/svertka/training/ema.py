"""A running average of the weights, which is what is measured and kept where a recipe wants one.

As torch.optim.swa_utils.AveragedModel computes it, to the bit, with the same names in its state; but that sends a
counter to the device at every step, and waits for it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """Weights and buffers of a network, each an exponential mean: average = keep average + (1 - keep) weight.

    Args:
        net: is copied; the first update takes its values as they are.
        keep: what one step keeps of the mean.
    """

    def __init__(self, net: nn.Module, keep: float) -> None:
        super().__init__(net, use_buffers=True)
        self.keep = keep

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take one step's weights in."""
        mine, theirs = (_tensors(one) for one in (self.module, model))
        if self.n_averaged == 0:  # it stays on the processor
            torch._foreach_copy_(mine, theirs)
        else:
            real = [k for k, t in enumerate(mine) if t.is_floating_point()]
            torch._foreach_lerp_([mine[k] for k in real], [theirs[k] for k in real], 1 - self.keep)
            for k in set(range(len(mine))) - set(real):  # counters
                mine[k].copy_(mine[k] * self.keep + theirs[k] * (1 - self.keep))
        self.n_averaged += 1


def _tensors(net: nn.Module) -> list[Tensor]:
    return [t.detach() for t in (*net.parameters(), *net.buffers())]

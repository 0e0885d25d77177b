"""Everything that changes while training. A checkpoint is this on disk (checkpoint.py)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.amp import GradScaler

from svertka.blocks import Net
from svertka.training.distributed import Group
from svertka.training.ema import Average
from svertka.training.optimizer_factory import Optimizer


@dataclass(frozen=True, slots=True)
class Pending:
    """What one step has found, still on the device.

    loss   () of the batch, or this process's part of it
    right  () pictures that were answered rightly
    seen   pictures of the whole batch
    index  (b,) which ones, to be named where the loss is not a number
    """

    loss: Tensor
    right: Tensor
    seen: int
    index: Tensor


@dataclass
class State:
    """Everything that changes while training.

    net        the network that learns
    average    its running average, where the recipe wants one; it is what is measured and kept
    frozen     parts of it that stay in evaluation mode, so that their batch norms do not move
    step       optimizer steps taken so far in the whole run
    history    (accuracy, loss) after each finished pass, on validation; of the training itself where there is none
    best       (accuracy, -loss) on validation of the best epoch so far, and the weights of then
    answers    logits and labels on validation of then, where this process has seen them
    slow       weights that the fast ones come back to, where the recipe looks ahead (optimizer_step.py)
    rescues    times that training went back to the best weights, at a lower rate each time (divergence.py)
    pieces     parts that a batch is computed in, so that it fits into memory (gradient_accumulation.py)
    scaler     what scales the loss up and gradients down again, where the plan computes in float16
    outputs    the network's own `outputs`, compiled, where the plan says so
    group      the processes that train it together (distributed.py)
    pending    what the steps since the last record have found, not read yet
    """

    net: Net
    optimizer: Optimizer
    average: Average | None = None
    frozen: tuple[nn.Module, ...] = ()
    step: int = 0
    history: list[tuple[float, float]] = field(default_factory=list)
    best: tuple[float, float] = (-1.0, -math.inf)
    best_epoch: int = 0
    best_tensors: dict[str, Tensor] = field(default_factory=dict)
    answers: tuple[Tensor, Tensor] | None = None
    slow: list[Tensor] = field(default_factory=list)
    rescues: int = 0
    pieces: int = 1
    scaler: GradScaler | None = None
    outputs: Callable[[Tensor], Sequence[Tensor]] | None = None
    rate: float = 0.0  # of the last step
    loss_sum: float = 0.0  # over the current epoch
    right: int = 0
    seen: int = 0
    seconds: float = 0.0  # spent training before this process
    class_weights: Tensor | None = None  # (classes,) how much a mistake on each costs
    group: Group = field(default_factory=Group)
    pending: list[Pending] = field(default_factory=list)

    @property
    def measured_net(self) -> Net:
        """The network whose accuracy counts: the average where there is one."""
        return self.average.module if self.average is not None else self.net  # type: ignore[return-value]

    def learning_mode(self) -> None:
        """Training mode for all but what is frozen."""
        self.net.train()
        for part in self.frozen:
            part.eval()

    def begin_pass(self) -> None:
        """Nothing seen yet."""
        self.loss_sum, self.right, self.seen = 0.0, 0, 0
        self.pending = []

    def count(self, loss: float, right: int, seen: int) -> None:
        """A step is over: the mean loss of so many pictures, and how many were right."""
        self.loss_sum += loss * seen
        self.right += right
        self.seen += seen


def snapshot(net: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights and buffers as they are now."""
    return {k: v.detach().clone() for k, v in net.state_dict().items()}

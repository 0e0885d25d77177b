"""How long one training step takes: real steps of a copy of the real network, under one plan."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.hardware.device import finish
from svertka.hardware.plan import Plan
from svertka.optimizers.sgd import SGD

FEWEST, MOST = 3, 12  # steps that are timed
AGREE = 2.0  # a step that took longer than this times another was hindered by something else
SMALL = 2  # pictures that a heavy network is tried with first
PARTS = ("forward", "backward", "step")

Outputs = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one step over a whole batch, and the share of it that each of PARTS takes."""

    seconds: float
    shares: dict[str, float] = field(default_factory=dict)


class Trial:
    """A copy of a network that takes steps on noise; the original is left as it was.

    Args:
        net: a network with `outputs`.
        plan: how to compute.
        shape: of one batch, (b, c, h, w).
        classes: outputs of the network.
    """

    def __init__(self, net: nn.Module, plan: Plan, shape: tuple[int, ...], classes: int) -> None:
        self.plan, self.shape, self.classes = plan, shape, classes
        self.net = copy.deepcopy(net).to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
        self.net.train()
        groups = [{"params": self.net.parameters(), "weight_decay": 0.0}]
        self.optimizer = SGD(groups, lr=1e-6, momentum=0.9, nesterov=True)
        self.outputs: Outputs = self.net.outputs
        self.noise: Tensor | None = None
        self.scaler = torch.amp.GradScaler(plan.device.split(":")[0], enabled=plan.scaled)

    def affordable(self, budget: float) -> int:
        """The whole batch (a piece of it), or as many pictures as a step may have to end within the budget."""
        whole = max(1, self.shape[0] // self.plan.pieces)
        batch = min(SMALL, whole)
        with self.plan.torch_settings():
            while batch < whole:
                first = sum(self._step(batch))  # which allocates
                seconds = sum(self._step(batch))
                if seconds > budget / FEWEST and not _agree(first, seconds):  # something hindered one of them
                    seconds = min(seconds, sum(self._step(batch)))
                if seconds > budget / FEWEST:
                    break
                batch = min(8 * batch, whole)
        return batch

    def time(self, budget: float, batch: int) -> Timing:
        """Take steps of `batch` pictures for about `budget` seconds; the answer is for the whole batch.

        The least time counts, which noise disturbed least; the first step allocates and does not. Two that differ much
        are no measurement: more are taken, so that one hiccup of a busy machine decides nothing.
        """
        times: list[list[float]] = []
        with self.plan.torch_settings():
            start = time.perf_counter()
            while len(times) < FEWEST or (time.perf_counter() - start < budget and len(times) < MOST):
                times.append(self._step(batch))
                if len(times) == 2 and time.perf_counter() - start > 4 * budget and _agree(*map(sum, times)):
                    break  # a heavy network: two steps say enough
        best = min(times[1:], key=sum)
        shares = {part: round(seconds / sum(best), 4) for part, seconds in zip(PARTS, best, strict=True)}
        return Timing(sum(best) * self.shape[0] / batch, shares)

    def _step(self, batch: int) -> list[float]:
        """Seconds of forward pass, backward pass and update."""
        x, y = self._noise(batch)
        marks = [self._now()]
        with self.plan.autocast():
            loss = torch.stack([F.cross_entropy(logits, y) for logits in self.outputs(x)]).sum()
        loss.item()  # the loop looks at it, too
        marks.append(self._now())
        self.scaler.scale(loss).backward()
        marks.append(self._now())
        self.scaler.step(self.optimizer)  # type: ignore[arg-type]
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        marks.append(self._now())
        return [b - a for a, b in itertools.pairwise(marks)]

    def _noise(self, batch: int) -> tuple[Tensor, Tensor]:
        if self.noise is None or len(self.noise) != batch:
            x = torch.rand((batch, *self.shape[1:]), device=self.plan.device)
            self.noise = self.plan.laid(x)
        return self.noise, torch.arange(batch, device=self.plan.device) % self.classes

    def _now(self) -> float:
        finish(self.plan.device)
        return time.perf_counter()


def _agree(one: float, other: float) -> bool:
    return max(one, other) <= AGREE * min(one, other)

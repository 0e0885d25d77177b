"""The loop: the only place where weights change.

`fit` is a plain generator of records. Whoever prints, logs, saves or stops reads them; there are no callbacks. Between
two records `State` is whole, so that it may be saved there and training goes on from it to the same weights: order,
augmentation and dropout are functions of (seed, epoch, step) and need no random state of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from svertka.blocks import Net
from svertka.bundle import answer
from svertka.data.loader import Batch, Loader
from svertka.data.random import mix
from svertka.errors import TrainingError
from svertka.records import Epoch, Step
from svertka.training.freeze import freeze
from svertka.training.optimiser import Optimiser, make_optimiser
from svertka.training.plan import Plan
from svertka.training.recipe import Recipe
from svertka.training.schedule import SCHEDULES

AUXILIARY = 0.3  # weight of auxiliary heads in the loss (Szegedy et al. 2014, arXiv:1409.4842, section 5)
RECORDS = 20  # Step records in one epoch


@dataclass
class State:
    """Everything that changes while training.

    net        the network that learns
    average    its running average, where the recipe wants one; it is what is measured and kept
    frozen     parts of it that stay in evaluation mode, so that their batch norms do not move
    step       optimiser steps taken so far in the whole run
    best       (accuracy, -loss) on validation of the best epoch so far, and the weights of then
    """

    net: Net
    optimiser: Optimiser
    average: AveragedModel | None = None
    frozen: tuple[nn.Module, ...] = ()
    step: int = 0
    best: tuple[float, float] = (-1.0, -math.inf)
    best_epoch: int = 0
    best_tensors: dict[str, Tensor] = field(default_factory=dict)
    loss_sum: float = 0.0  # over the current epoch
    right: int = 0
    seen: int = 0
    seconds: float = 0.0  # spent training before this process
    class_weights: Tensor | None = None  # (classes,) how much a mistake on each costs

    @property
    def measured_net(self) -> Net:
        """The network whose accuracy counts: the average where there is one."""
        return self.average.module if self.average is not None else self.net  # type: ignore[return-value]


def begin(net: Net, recipe: Recipe, plan: Plan) -> State:
    """A fresh state for a network, which moves to the plan's device and layout and is frozen as the recipe says."""
    frozen = freeze(net, recipe.freeze or "none")
    net = net.to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
    average = None
    if recipe.average:
        average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
    return State(net, make_optimiser(net, recipe), average, tuple(frozen))


def fit(state: State, train: Loader, validation: Loader | None, recipe: Recipe, plan: Plan) -> Iterator[Step | Epoch]:
    """Train from `state` to the end of the recipe, yielding a Step now and then and an Epoch after every pass.

    Raises:
        TrainingError: the loss is no longer finite; nothing was learned from that batch.
    """
    epochs, per_epoch = recipe.epochs or 1, len(train)
    steps, schedule, peak = epochs * per_epoch, SCHEDULES[recipe.schedule], recipe.rate or 0.0
    every = max(1, per_epoch // RECORDS)
    clock = time.perf_counter() - state.seconds
    for epoch in range(state.step // per_epoch, epochs):
        state.net.train()
        for part in state.frozen:
            part.eval()
        for batch in train.epoch(epoch, start=state.step % per_epoch):
            rate = peak * schedule(state.step, steps)
            for group in state.optimiser.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            torch.manual_seed(mix(recipe.seed, -1, state.step))  # dropout: the same masks after a resume
            _step(state, batch, recipe, plan)
            state.step += 1
            if state.step % per_epoch % every == 0 and state.step % per_epoch:
                state.seconds = time.perf_counter() - clock
                loss = state.loss_sum / state.seen
                yield Step(state.step, steps, epoch + 1, loss, rate, state.seen, state.seconds)
        yield _finish_epoch(state, epoch, epochs, validation, clock, rate)


def _step(state: State, batch: Batch, recipe: Recipe, plan: Plan) -> None:
    smoothing = recipe.label_smoothing or 0.0
    with plan.precisely():
        logits, *auxiliary = state.net.outputs(batch.x)
        loss = F.cross_entropy(logits, batch.y, state.class_weights, label_smoothing=smoothing)
        for extra in auxiliary:
            loss = loss + AUXILIARY * F.cross_entropy(extra, batch.y, state.class_weights, label_smoothing=smoothing)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingError(
            f"The loss became {value} at step {state.step + 1}; nothing was learned from that batch. "
            f"A lower rate helps most often: --set rate={(recipe.rate or 0) / 3:.3g}."
        )
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimiser.step()
    if state.average is not None:
        state.average.update_parameters(state.net)
    state.loss_sum += value * len(batch.y)
    truth = batch.y if batch.y.ndim == 1 else batch.y.argmax(1)  # of a mixed picture, the class it has most of
    state.right += int((logits.detach().argmax(1) == truth).sum())
    state.seen += len(batch.y)


def _finish_epoch(state: State, epoch: int, epochs: int, validation: Loader | None, clock: float, rate: float) -> Epoch:
    loss = accuracy = None
    better = True  # without validation the last epoch is kept
    if validation is not None:
        loss, accuracy = measure(state.measured_net, validation)
        better = (accuracy, -loss) >= state.best
    if better:
        state.best = (accuracy, -loss) if accuracy is not None and loss is not None else state.best
        state.best_epoch = epoch + 1
        state.best_tensors = snapshot(state.measured_net)
    state.seconds = time.perf_counter() - clock
    record = Epoch(
        epoch + 1, epochs, state.loss_sum / state.seen, state.right / state.seen, loss, accuracy,
        rate, state.seen, state.seconds, better,
    )  # fmt: skip
    state.loss_sum, state.right, state.seen = 0.0, 0, 0
    return record


def snapshot(net: Net) -> dict[str, Tensor]:
    """A copy of the weights and buffers as they are now."""
    return {k: v.detach().clone() for k, v in net.state_dict().items()}


def measure(net: Net, loader: Loader) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a loader; the network is given back in the mode it came in."""
    logits, labels = collect(net, loader)
    loss = F.cross_entropy(logits, labels).item()
    return loss, (logits.argmax(1) == labels).double().mean().item()


def collect(net: Net, loader: Loader, mirror: bool = False) -> tuple[Tensor, Tensor]:
    """The logits (n, classes) and labels (n,) of a whole loader, in its order; in float32, as prediction computes."""
    was = net.training
    net.eval()
    try:
        with torch.inference_mode():
            pairs = [(answer(net, x, mirror), y) for x, y, _ in loader]
    finally:
        net.train(was)
    return torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])

"""The loop: the only place where weights change.

`fit` is a plain generator of records. Whoever prints, logs, saves or stops reads them; there are no callbacks. Between
two records `State` is whole, so that it may be saved there and training goes on from it to the same weights: order,
augmentation and dropout are functions of (seed, epoch, step) and need no random state of their own.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.amp import GradScaler

from svertka.blocks import Net
from svertka.common.counter_rng import mix
from svertka.common.messages import message
from svertka.data.loading.loader import Batch, Loader
from svertka.errors import NotFinite
from svertka.hardware.compile import compiled
from svertka.hardware.plan import Plan
from svertka.models import answer
from svertka.records import Epoch, Note, Step
from svertka.training import divergence
from svertka.training.distributed import Group, gathered
from svertka.training.ema import Average
from svertka.training.freeze import freeze
from svertka.training.gradient_accumulation import pieces, pieces_that_fit, step_with_oom_retry
from svertka.training.optimizer_factory import make_optimizer, set_rate
from svertka.training.optimizer_step import update
from svertka.training.recipe import Recipe
from svertka.training.schedules.lr_schedule import rate_at
from svertka.training.schedules.progressive_resizing import resized, size_at
from svertka.training.state import Pending, State, snapshot

AUXILIARY = 0.3  # weight of auxiliary heads in the loss (Szegedy et al. 2014, arXiv:1409.4842, section 5)
RECORDS = 20  # Step records in one epoch, at least
SECONDS = 5.0  # without a record, at most: whoever asks to stop need not wait longer
CHECKED_AT_ONCE = ("cpu",)  # devices whose loss may be looked at after every step, since nobody waits for it


def begin(net: Net, recipe: Recipe, plan: Plan, group: Group | None = None) -> State:
    """A fresh state for a network, which moves to the plan's device and layout and is frozen as the recipe says."""
    frozen, group = freeze(net, recipe.freeze or "none"), group or Group()
    net = net.to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
    average = Average(net, recipe.ema_decay) if recipe.ema_decay else None
    optimizer = make_optimizer(net, recipe, bfloat16=plan.precision == "bfloat16")
    state = State(net, optimizer, average, tuple(frozen), pieces=max(recipe.accumulate, plan.pieces), group=group)
    if plan.scaled:
        state.scaler = GradScaler(plan.device.split(":")[0])
    if plan.compile:
        state.outputs = compiled(net.outputs)
    if not group.world.alone:
        state.learning_mode()
        group.wrap(net, plan.device)
    return state


def fit(
    state: State, train: Loader, validation: Loader | None, recipe: Recipe, plan: Plan
) -> Iterator[Step | Epoch | Note]:
    """Train from `state` to the end of the recipe, yielding a Step now and then and an Epoch after every pass.

    Raises:
        NotFinite: the loss is no longer finite, and the recipe allows no more rescues.
        TrainingError: memory is not enough for two pictures.
    """
    epochs, clock = recipe.epochs or 1, time.perf_counter() - state.seconds
    divergence.keep_start(state, recipe)
    while len(state.history) < epochs:
        if recipe.patience and len(state.history) - state.best_epoch >= recipe.patience:
            yield Note(
                message(
                    "stopped-early",
                    "Stopped after pass {n} of {epochs}: no better in {patience} passes.",
                    n=len(state.history),
                    epochs=epochs,
                    patience=int(recipe.patience or 0),
                )
            )
            return
        try:
            yield from _pass(state, train, recipe, plan, clock)
            yield _measured(state, validation, recipe, clock)
        except NotFinite as trouble:
            yield divergence.restore_best(state, recipe, trouble, len(train))


def _pass(state: State, train: Loader, recipe: Recipe, plan: Plan, clock: float) -> Iterator[Step | Note]:
    """The steps that are left of a pass."""
    steps, every = (recipe.epochs or 1) * len(train), max(1, len(train) // RECORDS)
    epoch, start = divmod(state.step, len(train))
    losses = [loss for _, loss in state.history]
    last = time.perf_counter()
    state.learning_mode()
    for number, batch in enumerate(train.epoch(epoch, start=start), start + 1):
        state.rate = rate_at(
            recipe.schedule, recipe.learning_rate or 0.0, state.step, steps,
            warmup=recipe.warmup, wait=recipe.wait, losses=losses, rescues=state.rescues,
        )  # fmt: skip
        set_rate(state.optimizer, state.rate)
        if recipe.grow:
            batch = batch._replace(x=resized(batch.x, size_at(recipe.grow, state.step, steps)))
        for note in step_with_oom_retry(step, state, batch, recipe, plan):
            read_metrics(state, recipe)
            yield note
        state.step += 1
        due = state.group.agree(number % every == 0 or time.perf_counter() - last > SECONDS)
        if due and number < len(train):
            read_metrics(state, recipe)
            last = time.perf_counter()
            state.seconds = last - clock
            yield Step(state.step, steps, epoch + 1, state.loss_sum / state.seen, state.rate, state.seen, state.seconds)
    read_metrics(state, recipe)


def step(state: State, batch: Batch, recipe: Recipe, plan: Plan) -> None:
    """One step of the optimizer on one batch; `read_metrics` counts what it found.

    Raises:
        NotFinite: the loss is not a number, on a device where that is known at once.
    """
    group = state.group
    _seed(plan.device, mix(recipe.seed, -1, state.step, *group.rank_seed))  # dropout: the same masks after a resume
    state.optimizer.zero_grad(set_to_none=True)
    mine, seen = group.share(batch.y, state.class_weights)
    found: list[tuple[Tensor, Tensor]] = []
    count = min(state.pieces, pieces_that_fit(seen // group.world.size))
    for number, (piece, share) in enumerate(pieces(batch, count, state.class_weights), 1):
        with group.piece(last=number == count):
            found.append(_gradients(state, piece, share * mine, recipe, plan))
    update(state, recipe)
    loss, right = (functools.reduce(torch.add, numbers) for numbers in zip(*found, strict=True))
    state.pending.append(Pending(loss, right, seen, batch.index if group.world.alone else batch.index[:0]))


def _seed(device: str, seed: int) -> None:
    if device == "cpu":
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for every other kind of device: 0.1 ms
    else:
        torch.manual_seed(seed)


def _gradients(state: State, batch: Batch, share: float, recipe: Recipe, plan: Plan) -> tuple[Tensor, Tensor]:
    """Add `share` of the gradients of a batch; returns that share of its loss, and its right answers."""
    smoothing, group = recipe.label_smoothing or 0.0, state.group
    with plan.autocast():
        logits, *auxiliary = (group.parallel or state.outputs or state.net.outputs)(batch.x)  # (b, classes)
        loss = F.cross_entropy(logits, batch.y, state.class_weights, label_smoothing=smoothing)
        for extra in auxiliary:
            loss = loss + AUXILIARY * F.cross_entropy(extra, batch.y, state.class_weights, label_smoothing=smoothing)
    value = loss.detach()
    if group.world.alone and plan.device in CHECKED_AT_ONCE:
        divergence.check_loss(value.item(), state.step, recipe, batch.index, logits)
    if state.scaler is not None:
        loss = state.scaler.scale(loss)
    if share != 1:  # a product, since `backward(share)` would import torch's symbolic shapes and sympy: 0.3 s
        loss, value = share * loss, share * value
    loss.backward()
    truth = batch.y if batch.y.ndim == 1 else batch.y.argmax(1)  # of a mixed picture, the class it has most of
    return value, (logits.argmax(1) == truth).sum()


def read_metrics(state: State, recipe: Recipe) -> None:
    """Count what the steps since the last record have found: here, and not at every step, a GPU is waited for.

    Raises:
        NotFinite: the loss of one of them is not a number; in several processes, in all alike.
    """
    if not state.pending:
        return
    found, state.pending = state.pending, []
    losses = state.group.sum(*torch.stack([one.loss for one in found]).tolist())
    hits = state.group.sum(*torch.stack([one.right for one in found]).tolist())
    for number, (one, loss, right) in enumerate(zip(found, losses, hits, strict=True), state.step - len(found)):
        loss /= state.group.world.size
        divergence.check_loss(loss, number, recipe, one.index)
        state.count(loss, round(right), one.seen)


def _measured(state: State, validation: Loader | None, recipe: Recipe, clock: float) -> Epoch:
    """The end of a pass: measure on validation, remember the weights where they are the best so far."""
    training = state.right / state.seen, state.loss_sum / state.seen
    accuracy = loss = answers = None
    better = True  # without validation the last epoch is kept
    if validation is not None:
        state.group.same_statistics(state.measured_net)
        answers = collect(state.measured_net, validation)
        loss, accuracy = _loss_and_accuracy(*answers)
        better = (accuracy, -loss) >= state.best
    divergence.check_weights(state, recipe, loss)
    state.history.append(training if accuracy is None or loss is None else (accuracy, loss))
    if better:
        state.best = (accuracy, -loss) if accuracy is not None and loss is not None else state.best
        state.best_epoch = len(state.history)
        state.best_tensors, state.answers = snapshot(state.measured_net), answers
    state.seconds = time.perf_counter() - clock
    record = Epoch(
        len(state.history), recipe.epochs or 1, training[1], training[0], loss, accuracy,
        state.rate, state.seen, state.seconds, better,
    )  # fmt: skip
    state.begin_pass()
    return record


def measure(net: Net, loader: Loader) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a loader; the network is given back in the mode it came in."""
    return _loss_and_accuracy(*collect(net, loader))


def _loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
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
    if not pairs:  # more processes than pictures
        pairs = [(torch.empty(0, loader.classes, device=loader.device), loader.labels[:0])]
    logits, labels = torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])
    return gathered(logits, loader.size), gathered(labels, loader.size)

"""The loop: the only place where weights change.

`fit` is a plain generator of records. Whoever prints, logs, saves or stops reads them; there are no callbacks. Between
two records `State` is whole, so that it may be saved there and training goes on from it to the same weights: order,
augmentation and dropout are functions of (seed, epoch, step) and need no random state of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.amp import GradScaler

from svertka.blocks import Net
from svertka.common.counter_rng import mix
from svertka.data.loading.loader import Batch, Loader
from svertka.errors import NotFinite
from svertka.hardware.compile import compiled
from svertka.hardware.plan import Plan
from svertka.models import answer
from svertka.records import Epoch, Note, Step
from svertka.training import divergence
from svertka.training.async_metrics import put_aside, read
from svertka.training.distributed.memory_probe import try_together
from svertka.training.distributed.process_group import Group, gathered
from svertka.training.ema import Average
from svertka.training.freeze import freeze
from svertka.training.gradient_accumulation import free_cached, of_memory, pieces, within_memory
from svertka.training.optimizer_factory import make_optimizer, set_rate
from svertka.training.optimizer_step import update
from svertka.training.recipe import Recipe
from svertka.training.schedules.learning_rate import rate_at
from svertka.training.schedules.progressive_resizing import resized, size_at
from svertka.training.state import State, snapshot

AUXILIARY = 0.3  # weight of auxiliary heads in the loss (Szegedy et al. 2014, arXiv:1409.4842, section 5)
RECORDS = 20  # Step records in one epoch, at least
SECONDS = 5.0  # without a record, at most: whoever asks to stop need not wait longer


def begin(net: Net, recipe: Recipe, plan: Plan, group: Group | None = None) -> State:
    """A fresh state for a network, which moves to the plan's device and layout and is frozen as the recipe says."""
    frozen, group = freeze(net, recipe.freeze or "none"), group or Group()
    net = net.to(plan.device, memory_format=plan.memory_format)  # type: ignore[call-overload]
    group.take(net, plan.device)
    average = None
    if recipe.ema_decay:
        average = Average(net, recipe.ema_decay)
    parts = max(recipe.accumulate, plan.pieces)
    optimizer = make_optimizer(net, recipe, bfloat16=plan.precision == "bfloat16")
    state = State(net, optimizer, average, tuple(frozen), pieces=parts, group=group)
    if plan.scaled:
        state.scaler = GradScaler(plan.device.split(":")[0])
    if plan.compile:
        state.outputs = compiled(net.outputs)
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
    divergence.ready(state, recipe)
    while len(state.history) < epochs:
        if recipe.patience and len(state.history) - state.best_epoch >= recipe.patience:
            yield Note(f"Stopped after pass {len(state.history)} of {epochs}: no better in {recipe.patience} passes.")
            return
        try:
            yield from _pass(state, train, recipe, plan, clock)
            yield _measured(state, validation, recipe, clock)
        except NotFinite as trouble:
            yield divergence.go_back(state, recipe, trouble, len(train))


def _pass(state: State, train: Loader, recipe: Recipe, plan: Plan, clock: float) -> Iterator[Step | Note]:
    """The steps that are left of a pass."""
    steps, every = (recipe.epochs or 1) * len(train), max(1, len(train) // RECORDS)
    epoch, start = divmod(state.step, len(train))
    losses = [loss for _, loss in state.history]
    said = time.perf_counter()
    state.learning_mode()
    for number, batch in enumerate(train.epoch(epoch, start=start), start + 1):
        state.rate = rate_at(recipe, state.step, steps, losses, state.rescues)
        set_rate(state.optimizer, state.rate)
        if recipe.grow:
            batch = batch._replace(x=resized(batch.x, size_at(recipe.grow, state.step, steps)))
        if not state.group.world.alone:
            yield from try_together(state, batch, plan)
        for note in within_memory(step, state, batch, recipe, plan, number):
            read(state, recipe)
            yield note
        state.step += 1
        now = time.perf_counter()
        if number < len(train) and (number % every == 0 or now - said > SECONDS or state.group.stopping):
            read(state, recipe)
            now = time.perf_counter()
            said, state.seconds = now, now - clock
            yield Step(state.step, steps, epoch + 1, state.loss_sum / state.seen, state.rate, state.seen, state.seconds)
    read(state, recipe)


def step(state: State, batch: Batch, recipe: Recipe, plan: Plan, number: int) -> None:
    """One step of the optimizer on one batch, which is batch `number` of its pass."""
    group = state.group
    _seed(plan.device, mix(recipe.seed, -1, state.step, *group.own))  # dropout: the same masks after a resume
    state.optimizer.zero_grad(set_to_none=True)
    mine, seen = group.share(batch.y, state.class_weights)
    loss, right = _add_up(state, batch, mine, min(state.pieces, group.most_pieces(seen)), recipe, plan, number)
    if isinstance(loss, Tensor) and isinstance(right, Tensor):
        put_aside(state, loss, right, batch, number, recipe)
        update(state, recipe)
        return
    own, (loss, right) = float(loss), group.total(float(loss), int(right))
    if not math.isfinite(loss):  # in all processes alike
        batch = batch._replace(index=group.guilty(batch.index, own))
        divergence.refuse_unless_finite(loss, batch, state.step, number, recipe)
    update(state, recipe)
    state.count(loss, right, seen)


def _add_up(
    state: State, batch: Batch, mine: float, count: int, recipe: Recipe, plan: Plan, number: int
) -> tuple[float | Tensor, int | Tensor]:
    """Add up the gradients of a batch, of which this process's share counts `mine`; returns its loss and right answers.

    Raises:
        MemoryError, RuntimeError: memory is not enough; of several processes, the end of the step tells all of them.
    """
    loss: float | Tensor = 0.0
    right: int | Tensor = 0
    done, group = 0, state.group
    try:
        for piece, share in pieces(batch, count, state.class_weights):
            with group.piece(last=done + 1 == count):
                value, hits = _gradients(state, piece, share * mine, recipe, plan, number)
            loss, right, done = loss + share * mine * value, right + hits, done + 1
        return loss, right
    except (MemoryError, RuntimeError) as why:
        if group.world.alone or not of_memory(why):
            raise
    free_cached()  # outside of `except`: the error holds on to what was computed
    group.stop_short(count - done)
    return 0.0, 0


def _seed(device: str, seed: int) -> None:
    if device == "cpu":
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for every other kind of device: 0.1 ms
    else:
        torch.manual_seed(seed)


def _reads_late(state: State, plan: Plan) -> bool:
    """Whether a step is over before its loss is known: on one GPU, which then need not wait for the processor."""
    return plan.device.startswith("cuda") and state.group.world.alone


def _gradients(
    state: State, batch: Batch, share: float, recipe: Recipe, plan: Plan, number: int
) -> tuple[float | Tensor, int | Tensor]:
    """Add `share` of the gradients of a batch; returns its mean loss, and how many of its pictures were right."""
    smoothing, group = recipe.label_smoothing or 0.0, state.group
    with plan.precisely():
        logits, *auxiliary = (group.parallel or state.outputs or state.net.outputs)(batch.x)  # (b, classes)
        loss = F.cross_entropy(logits, batch.y, state.class_weights, label_smoothing=smoothing)
        for extra in auxiliary:
            loss = loss + AUXILIARY * F.cross_entropy(extra, batch.y, state.class_weights, label_smoothing=smoothing)
        if not len(batch.y):  # of more processes than pictures, this one has none: a loss of 0 with a way back
            loss = torch.stack([y.sum() for y in (logits, *auxiliary)]).sum()
    late = _reads_late(state, plan)
    value = loss.detach() if late else loss.item()
    if group.world.alone and not late:  # else all must go on to where they hear of it
        divergence.refuse_unless_finite(value, batch, state.step, number, recipe, logits)
    if state.scaler is not None:
        loss = state.scaler.scale(loss)
    if share != 1:  # a product, since `backward(share)` would import torch's symbolic shapes and sympy: 0.3 s
        loss = share * loss
    loss.backward()
    truth = batch.y if batch.y.ndim == 1 else batch.y.argmax(1)  # of a mixed picture, the class it has most of
    right = (logits.argmax(1) == truth).sum()
    return value, right if late else int(right)


def _measured(state: State, validation: Loader | None, recipe: Recipe, clock: float) -> Epoch:
    """The end of a pass: measure on validation, remember the weights where they are the best so far."""
    training = state.right / state.seen, state.loss_sum / state.seen
    accuracy = loss = answers = None
    better = True  # without validation the last epoch is kept
    if validation is not None:
        answers = collect(state.measured_net, validation)
        loss, accuracy = _loss_and_accuracy(*answers)
        better = (accuracy, -loss) >= state.best
    divergence.refuse_spoilt(state, recipe, loss)
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
    return gathered(logits, loader.total, loader.size), gathered(labels, loader.total, loader.size)

"""The fourth step of a training: the loop, with its records, checkpoints and best models, until its end or a stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import cast

import torch
from torch import Tensor

from svertka.common.torchrun import world
from svertka.data.loading.loader import Loader
from svertka.data.splitting.manifest import Part
from svertka.errors import NotFinite
from svertka.hardware.plan import Plan
from svertka.models import describe, outline
from svertka.pipeline import distributed_worker
from svertka.pipeline.build import loader
from svertka.pipeline.checkpointing import CheckpointWriter, saved_checkpoint
from svertka.pipeline.pass_control import PassControl
from svertka.pipeline.plan import Planned
from svertka.pipeline.top_models import TopModels
from svertka.pipeline.write_results import Fitted, rewrite_recipe
from svertka.records import Epoch, LoopRecord, Note
from svertka.training import loop
from svertka.training.state import State, snapshot


def fit(planned: Planned, stop: Event) -> Fitted:
    """Train as planned, by the usual loop or up the ladder, until the end or until `stop` is set.

    Raises:
        TrainingError: training cannot go on; names the files where some are the cause.
        KeyboardInterrupt: the person asked to stop before there was anything to keep.
    """
    if planned.loop is None:
        from svertka.pipeline.ladder.climb import climb

        return climb(planned, stop)
    net, control = planned.loop
    context, plan, steps = planned.context, planned.plan, len(control.train)
    saved = None if context.resumed is None else saved_checkpoint(context.run)
    distributed_worker.broadcast_config(
        context, plan, describe(net, context.recipe.net or "", context.preprocess.shape), outline(net)
    )
    with plan.torch_settings(), distributed_worker.joint_state(context, plan, net, saved) as state:
        state.group.stop_requested = stop.is_set
        if saved is not None:
            context.run.rewind(state.step, steps)
        start, first = time.perf_counter(), state.step
        checkpoints, models = CheckpointWriter(context, state), TopModels(context, state)
        control.start()
        stopped = _train(control, state, checkpoints, models)
    control.close(checkpoints.seconds)
    if not state.best_epoch:  # stopped within the first pass: what there is
        state.best_tensors = snapshot(state.measured_net)
    speed = (state.step - first) * control.train.batch / max(1e-9, time.perf_counter() - start)
    return _fitted(control, state, models, stopped=stopped, speed=speed)


def _train(control: PassControl, state: State, checkpoints: CheckpointWriter, models: TopModels) -> bool:
    """Follow the loop to its end; whether it was stopped before."""
    for record in _records(control, state):
        models.update(record)
        stopping = state.group.stopping
        if stopping or checkpoints.should_save(record):
            checkpoints.save()
        if stopping:
            return state.step < (control.context.recipe.epochs or 1) * len(control.train)
    return False


def _records(control: PassControl, state: State) -> Iterator[LoopRecord]:
    """The records of the loop, each logged before it is passed on.

    Where the number of passes changes, the loop goes on from the same state with the new one.
    """
    # each is a loader to whoever reads it
    train, validation = cast("Loader", control.train), cast("Loader | None", control.validation)
    changed = True
    while changed:
        changed = False
        try:
            for record in loop.fit(state, train, validation, control.context.recipe, control.plan):
                start = time.perf_counter()
                if isinstance(record, Note) and record.back_to is not None:
                    control.context.run.rewind(record.back_to, len(control.train))
                    control.on_restore()
                control.context.log_record(record)
                yield record
                changed = isinstance(record, Epoch) and control.on_epoch_end(record)
                if isinstance(record, Epoch):
                    state.group.from_main(control.context.recipe.epochs)
                control.logging_seconds += time.perf_counter() - start
                if changed:
                    rewrite_recipe(control.context)
                    break
        except NotFinite as trouble:
            raise control.context.training_error(trouble) from trouble


def _fitted(control: PassControl, state: State, models: TopModels, *, stopped: bool, speed: float) -> Fitted:
    """The best epoch's network, with its answers on each part that judges."""
    context, plan = control.context, control.plan
    net, mirror = state.measured_net, bool(context.recipe.test_flip)
    net.load_state_dict(state.best_tensors)
    answers: dict[Part, tuple[Tensor, Tensor]] = {}
    parts: tuple[Part, ...] = ("validation",) if stopped else ("validation", "test")  # test is scored once, at the end
    for part in parts:
        known = state.answers if part == "validation" and not mirror and _as_predicted(plan) else None
        if context.data.count(part):
            answers[part] = known or loop.collect(net, loader(context, part, plan), mirror)
    return Fitted(
        context, plan, net, describe(state.net, context.recipe.net or "", context.preprocess.shape), answers, mirror,
        stopped=stopped, seconds=state.seconds, speed=speed, epochs=len(state.history), best_epoch=state.best_epoch,
        metrics=lambda: {"best": models.scores(), "rescues": state.rescues, **control.facts()},
    )  # fmt: skip


def _as_predicted(plan: Plan) -> bool:
    """Whether training has computed, to the bit, as this process does after it, and as prediction will."""
    return world().alone and plan.threads == torch.get_num_threads() and plan.precision != "tf32"

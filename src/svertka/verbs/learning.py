"""The part of `train` that needs torch: build, plan, fit, and finish."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from svertka.bundle import Model, build, describe
from svertka.errors import NotFinite, TrainingError
from svertka.records import Epoch, Note, Step
from svertka.reporting import write_report
from svertka.training import auto, balance, checkpoint, loop
from svertka.training.plan import Plan
from svertka.training.planning import make_plan
from svertka.training.run import CHECKPOINT
from svertka.training.state import State, snapshot
from svertka.verbs.building import first_net, loader, with_statistics
from svertka.verbs.finishing import score, write_arrays, write_metrics, write_recipe
from svertka.verbs.job import Job, Trained
from svertka.verbs.keeping import Keeper
from svertka.verbs.notes import sentences
from svertka.verbs.stopping import Saver, asked_to_stop

FINISH_SECONDS = 3.0  # kept free for scoring and the report
OVERHEAD = 1.15  # a real step also reads, varies and validates
MOST = 10  # times the usual number of passes, however many minutes there are


def learn(job: Job, facts: auto.Facts) -> Trained:
    """A new run, from the decoded pictures on."""
    job.preprocess = with_statistics(job)
    job.recipe, reasons = auto.choose_rest(job.recipe, dataclasses.replace(facts, training=job.count("train")))
    job.reasons = {**job.reasons, **reasons}
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        net = first_net(job)
        shape = (min(job.recipe.batch, job.count("train")), *job.preprocess.shape)
        plan = make_plan(net, shape, len(job.manifest.classes), wanted=job.wanted, steps=_steps(job))
        job.watch("plan", plan)
        if job.recipe.minutes is not None:
            _fit_into_minutes(job, plan, told=reasons)
        write_recipe(job, plan, {"network": describe(net, job.recipe.net, job.preprocess.shape)})
        for sentence in (*job.manifest.notes, *sentences(job)):
            job.note(sentence)
        job.run.log({"kind": "plan", **plan.to_dict()})
        state = loop.begin(net, job.recipe, plan)
        return _carry_out(job, plan, state)


def go_on(job: Job, told: dict[str, Any]) -> Trained:
    """A run that was stopped, from its checkpoint on, by the plan it began with."""
    plan = Plan(**told["plan"])
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        saved = (job.run.path / CHECKPOINT / checkpoint.NAME).is_file()  # else from the start
        net = build(told["network"], len(job.manifest.classes)) if saved else first_net(job)
        state = loop.begin(net, job.recipe, plan)
        if saved:
            checkpoint.restore(state, job.run.path / CHECKPOINT)
        job.run.rewind(state.step, len(loader(job, "train", plan, training=True)))
        return _carry_out(job, plan, state)


def _carry_out(job: Job, plan: Plan, state: State) -> Trained:
    train = loader(job, "train", plan, training=True)
    validation = loader(job, "validation", plan) if job.count("validation") else None
    if job.recipe.balance == "weights":
        state.class_weights = balance.class_weights(job.labels("train"), len(job.manifest.classes)).to(plan.device)
    begun, steps = time.perf_counter(), state.step
    stopped, saver, keeper = False, Saver(job, state), Keeper(job, state)
    with asked_to_stop() as asked, plan.settled():
        for record in _records(job, loop.fit(state, train, validation, job.recipe, plan), len(train)):
            keeper.read(record)
            if asked.is_set() or saver.due(record):
                saver.save()
            if asked.is_set():
                stopped = state.step < (job.recipe.epochs or 1) * len(train)
                break
    if not state.best_epoch:  # stopped within the first pass: what there is
        state.best_tensors = snapshot(state.measured_net)
    speed = (state.step - steps) * train.batch / max(1e-9, time.perf_counter() - begun)
    return _finish(job, plan, state, stopped, speed, keeper)


def _records(job: Job, records: Iterator[Step | Epoch | Note], per_epoch: int) -> Iterator[Step | Epoch | Note]:
    """The records of the loop, each told before it is passed on.

    Raises:
        TrainingError: training cannot go on; names the files where some are the cause.
    """
    try:
        for record in records:
            if isinstance(record, Note) and record.back_to is not None:
                job.run.rewind(record.back_to, per_epoch)
            job.tell(record)
            yield record
    except NotFinite as trouble:
        raise TrainingError(f"{trouble} {job.named(trouble.pictures)}".rstrip()) from trouble


def _finish(job: Job, plan: Plan, state: State, stopped: bool, speed: float, keeper: Keeper) -> Trained:
    net, mirror = state.measured_net, bool(job.recipe.test_flip)
    net.load_state_dict(state.best_tensors)

    def scored() -> Iterator[tuple[str, Tensor, Tensor]]:
        for part in ("validation", "test"):
            if job.count(part) and not (stopped and part == "test"):  # the test part is scored once, at the end
                yield part, *loop.collect(net, loader(job, part, plan), mirror)

    scores = score(job, scored())
    spec = describe(state.net, job.recipe.net, job.preprocess.shape)
    model = Model(net, job.manifest.classes, job.preprocess, spec, scores.temperature, scores.thresholds, mirror)
    model.save(job.run.path / "model")
    write_arrays(job, scores.arrays)
    summary = write_metrics(
        job, plan, state.net, scores.found,
        seconds=state.seconds, speed=speed, stopped=stopped, best_epoch=state.best_epoch,
        more={"weights": model.facts["weights"]["sha256"], "best": keeper.scores(), "rescues": state.rescues},
    )  # fmt: skip
    write_report(job.run.path)
    return Trained(job.run.path, summary, stopped)


def _steps(job: Job) -> int:
    """Steps that the run will take; in a run of a stated length, as many as fit, so that this is the most."""
    return (job.recipe.epochs or 1) * max(1, job.count("train") // (job.recipe.batch or 1))


def _fit_into_minutes(job: Job, plan: Plan, told: dict[str, str]) -> None:
    """Choose the number of passes so that the whole run ends in time, where the user did not choose it."""
    if "epochs" not in told:
        return
    step = plan.step * OVERHEAD
    steps = max(1, job.count("train") // job.recipe.batch)
    left = job.recipe.minutes * 60 - (time.perf_counter() - job.started) - FINISH_SECONDS
    epochs = max(1, min(int(left / (step * steps)), MOST * job.recipe.epochs))
    job.recipe = job.recipe.replace(epochs=epochs)
    job.reasons["epochs"] = f"as many as {job.recipe.minutes:g} minutes allow at {step * steps:.1f} seconds a pass"
    if left < step * steps:
        job.note(
            f"One pass takes about {step * steps / 60:.1f} minutes, longer than the {job.recipe.minutes:g} allowed."
        )

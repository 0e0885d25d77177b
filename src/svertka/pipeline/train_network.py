"""The part of `train` that needs torch: build, plan, fit, and finish."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svertka.analysis.training_report import report_training
from svertka.blocks import Net
from svertka.common.messages import message
from svertka.common.torchrun import world
from svertka.errors import NotFinite, RunError, UsageError
from svertka.hardware.autotune import make_plan
from svertka.hardware.compile import refuse_without_compiler
from svertka.hardware.plan import Plan
from svertka.models import Model, build, describe, outline
from svertka.pipeline import distributed_worker
from svertka.pipeline.build import first_net, loader, with_statistics
from svertka.pipeline.checkpointing import Saver, asked_to_stop
from svertka.pipeline.context import Job, Trained
from svertka.pipeline.data_notes import sentences
from svertka.pipeline.pass_control import Course
from svertka.pipeline.top_models import Keeper
from svertka.pipeline.write_results import (
    rewrite_recipe,
    score,
    write_arrays,
    write_failures,
    write_metrics,
    write_recipe,
)
from svertka.records import Epoch, LoopRecord, Note
from svertka.runs import layout
from svertka.training import checkpoint, loop
from svertka.training.defaults import from_scratch
from svertka.training.distributed import use_own_cores
from svertka.training.state import State, snapshot


def learn(job: Job, facts: from_scratch.Facts) -> Trained:
    """A new run, from the decoded pictures on."""
    job.clock.now("plan")
    job.preprocess = with_statistics(job)
    job.recipe, reasons = from_scratch.choose_rest(job.recipe, dataclasses.replace(facts, training=job.count("train")))
    job.reasons = {**job.reasons, **reasons}
    with torch.random.fork_rng():
        free = "epochs" in reasons
        net, plan, course = _set_out(job, free)
        if free and job.recipe.minutes is not None:
            job.recipe, others = from_scratch.widen(job.recipe, reasons, course.fit())
            if others:
                job.reasons |= others
                net, plan, course = _set_out(job, free)
        job.watch(plan.chosen)
        course.look_ahead(net, free=free)
        spec = describe(net, job.recipe.net, job.preprocess.shape)
        start = {} if job.start is None else {"start": job.start.told}
        write_recipe(job, plan, {"network": spec, "structure": outline(net), **start})
        for sentence in (*job.manifest.notes, *sentences(job)):
            job.note(sentence)
        job.run.log({"kind": "plan", **plan.to_dict()})
        job.run.log({"kind": "forecast", **course.forecast.to_dict()})
        return _carry_out(job, course, net, None)


def _set_out(job: Job, free: bool) -> tuple[Net, Plan, Course]:
    """A fresh network as the recipe says now, how to compute it here, and its batches."""
    torch.manual_seed(job.recipe.seed)
    net = first_net(job)
    use_own_cores(world())
    alone = {} if world().alone else {"compile": False}  # torch.compile is not for several processes yet
    shape = (-(-min(job.recipe.batch_size or 1, job.count("train")) // world().size), *job.preprocess.shape)
    minutes = job.recipe.minutes
    plan = make_plan(
        net, shape, len(job.manifest.classes), requested=job.wanted | alone, steps=_steps(job),
        length=60 * minutes if free and minutes is not None else None,
    )  # fmt: skip
    return net, plan, Course.of(job, plan)


def go_on(job: Job, told: dict[str, Any]) -> Trained:
    """A run that was stopped, from its checkpoint on, by the plan and with the number of passes it began with.

    Raises:
        RunError: recipe.json or the checkpoint is damaged, or the weights that the run began with are others now.
    """
    saved = _saved(job)
    job.notes = job.run.notes()
    if saved is None:  # it was killed before its first checkpoint: from the start, and so is the log
        job.run.rewind(0, 1)
    plan = _plan(job, told)
    if not world().alone:  # another number of processes may share the cores now
        use_own_cores(world())
        if plan.compile:
            job.note(
                message(
                    "uncompiled.processes",
                    "The run was compiled where it began; in several processes it goes on without.",
                )
            )
        plan = plan.replace(compile=False, threads=torch.get_num_threads())
    if plan.compile:
        plan = _compiled_here(job, plan)
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        net = first_net(job) if saved is None else _again(job, told)
        return _carry_out(job, Course.of(job, plan), net, saved)


def needs_its_start(job: Job, told: dict[str, Any]) -> bool:
    """Whether `go_on` takes the network that the run began with, as `job.start`: it has weights, and no checkpoint."""
    return "start" in told and _saved(job) is None


def _saved(job: Job) -> Path | None:
    """The folder of the checkpoint; None before there is one."""
    folder = job.run.path / layout.CHECKPOINT
    return folder if (folder / checkpoint.NAME).is_file() else None


def _plan(job: Job, told: dict[str, Any]) -> Plan:
    try:
        return Plan(**told["plan"])
    except (KeyError, TypeError) as why:
        raise RunError(f"{job.run.path / 'recipe.json'} is damaged: {why!r}.") from why


def _again(job: Job, told: dict[str, Any]) -> Net:
    try:
        return build(told["network"], len(job.manifest.classes), told.get("structure"))
    except (KeyError, TypeError) as why:
        raise RunError(f"{job.run.path / 'recipe.json'} is damaged: {why!r}.") from why


def _compiled_here(job: Job, plan: Plan) -> Plan:
    """The same plan, or one that does without a compiler that this machine lacks."""
    try:
        refuse_without_compiler(plan.device)
    except UsageError as why:
        job.note(
            message(
                "uncompiled", "{detail} The run was compiled where it began; here it goes on without.", detail=str(why)
            )
        )
        return plan.replace(compile=False)
    return plan


def _carry_out(job: Job, course: Course, net: Net, saved: Path | None) -> Trained:
    plan, train = course.plan, course.train
    distributed_worker.broadcast_config(job, plan, describe(net, job.recipe.net, job.preprocess.shape), outline(net))
    with asked_to_stop(patiently=not world().alone) as asked:
        with plan.torch_settings(), distributed_worker.joint_state(job, plan, net, saved) as state:
            state.group.stop_requested = asked.is_set
            if saved is not None:
                job.run.rewind(state.step, len(train))
            begun, steps = time.perf_counter(), state.step
            stopped, saver, keeper = False, Saver(job, state), Keeper(job, state)
            course.start()
            for record in _records(job, course, state):
                keeper.read(record)
                stopping = state.group.stopping
                if stopping or saver.due(record):
                    saver.save()
                if stopping:
                    stopped = state.step < (job.recipe.epochs or 1) * len(train)
                    break
        course.close(saver.seconds)
        if not state.best_epoch:  # stopped within the first pass: what there is
            state.best_tensors = snapshot(state.measured_net)
        speed = (state.step - steps) * train.batch / max(1e-9, time.perf_counter() - begun)
        return distributed_worker.signal_done(_finish(job, course, state, stopped, speed, keeper))


def _records(job: Job, course: Course, state: State) -> Iterator[LoopRecord]:
    """The records of the loop, each told before it is passed on.

    Where the number of passes changes, the loop goes on from the same state with the new one.

    Raises:
        TrainingError: training cannot go on; names the files where some are the cause.
    """
    again = True
    while again:
        again = False
        try:
            for record in loop.fit(state, course.train, course.validation, job.recipe, course.plan):
                given = time.perf_counter()
                if isinstance(record, Note) and record.back_to is not None:
                    job.run.rewind(record.back_to, len(course.train))
                    course.went_back()
                job.tell(record)
                yield record
                again = isinstance(record, Epoch) and course.passed(record)
                if isinstance(record, Epoch):
                    state.group.from_main(job.recipe.epochs)
                course.told += time.perf_counter() - given
                if again:
                    rewrite_recipe(job)
                    break
        except NotFinite as trouble:
            raise job.unfit(trouble) from trouble


def _finish(job: Job, course: Course, state: State, stopped: bool, speed: float, keeper: Keeper) -> Trained:
    plan = course.plan
    net, mirror = state.measured_net, bool(job.recipe.test_flip)
    net.load_state_dict(state.best_tensors)
    known = {} if mirror or not _as_now(plan) else {"validation": state.answers}

    def scored() -> Iterator[tuple[str, Tensor, Tensor]]:
        for part in ("validation", "test"):
            if job.count(part) and not (stopped and part == "test"):  # the test part is scored once, at the end
                yield part, *(known.get(part) or loop.collect(net, loader(job, part, plan), mirror))

    scores = score(job, scored())
    spec = describe(state.net, job.recipe.net, job.preprocess.shape)
    net = net.cpu()  # as whoever opens the model has it
    model = Model(net, job.manifest.classes, job.preprocess, spec, scores.temperature, scores.thresholds, mirror)
    model.save(job.run.path / layout.MODEL)
    write_arrays(job, scores.arrays)
    write_failures(job, scores)
    digest = model.facts["weights"]["sha256"]
    summary = write_metrics(
        job, plan, state.net, scores.found,
        seconds=state.seconds, speed=speed, stopped=stopped, epochs=len(state.history), best_epoch=state.best_epoch,
        more={"weights": digest, "best": keeper.scores(), "rescues": state.rescues, **course.facts()},
    )  # fmt: skip
    report_training(job.run.path, model, summary["seconds"]["total"])
    return Trained(job.run.path, summary, stopped)


def _as_now(plan: Plan) -> bool:
    """Whether training has computed, to the bit, as this process does after it, and as prediction will."""
    return world().alone and plan.threads == torch.get_num_threads() and plan.precision != "tf32"


def _steps(job: Job) -> int:
    """Steps that the run will take where the number of its passes is settled."""
    return (job.recipe.epochs or 1) * max(1, job.count("train") // (job.recipe.batch_size or 1))

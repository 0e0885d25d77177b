"""The third step of a training: how it computes on this machine, how many passes fit the time, what it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from svertka.blocks import Net
from svertka.common.messages import message
from svertka.common.torchrun import world
from svertka.errors import RunError, UsageError
from svertka.hardware.autotune import make_plan
from svertka.hardware.compile import refuse_without_compiler
from svertka.hardware.device import pick_device
from svertka.hardware.plan import Plan
from svertka.models import describe, outline
from svertka.pipeline import distributed_worker
from svertka.pipeline.build import Built, first_net
from svertka.pipeline.context import Context
from svertka.pipeline.data_notes import sentences
from svertka.pipeline.pass_control import PassControl
from svertka.pipeline.write_results import write_recipe
from svertka.runs import layout
from svertka.training.defaults import from_scratch
from svertka.training.distributed import use_own_cores


@dataclass(frozen=True)
class Planned:
    """A training that may begin; its recipe is in the run folder.

    loop  the network at its start, and what follows its passes; None on the ladder
    """

    context: Context
    plan: Plan
    loop: tuple[Net, PassControl] | None


def plan(built: Built) -> Planned:
    """Measure how to compute and tell what the run will take, or take up the plan of a run that goes on.

    Raises:
        TrainingError: the disk has not enough room.
        RunError: recipe.json of the run is damaged.
    """
    if built.net is None:
        return _plan_ladder(built.context)
    if built.context.resumed is not None:
        return _plan_again(built.context, built.net)
    return _plan_loop(built.context, built.net, built)


def _plan_loop(context: Context, net: Net, built: Built) -> Planned:
    free = "epochs" in built.chosen
    chosen, control = _measured(context, net, free=free)
    if free and context.recipe.minutes is not None:
        recipe, reasons = from_scratch.widen(context.recipe, built.chosen, control.passes_in_time())
        if reasons:
            context = context.choose((recipe, reasons))
            net = first_net(context)
            chosen, control = _measured(context, net, free=free)
    context.journal.watch(chosen.chosen)
    forecast = control.foresee(net, free=free)
    context = control.context
    start = {} if context.start is None else {"start": context.start.told}
    spec = describe(net, context.recipe.net or "", context.preprocess.shape)
    write_recipe(context, chosen, {"network": spec, "structure": outline(net), **start})
    _tell(context)
    context.run.log({"kind": "plan", **chosen.to_dict()})
    context.run.log({"kind": "forecast", **forecast.to_dict()})
    return Planned(context, chosen, (net, control))


def _measured(context: Context, net: Net, *, free: bool) -> tuple[Plan, PassControl]:
    """How this network computes best here, and its batches; `free` where the clock says how many passes there are."""
    recipe, size = context.recipe, world().size
    use_own_cores(world())
    options = {**context.options, **({} if world().alone else {"compile": False})}  # not for several processes yet
    batch, pictures = recipe.batch_size or 1, context.data.count("train")
    chosen = make_plan(
        net, (-(-min(batch, pictures) // size), *context.preprocess.shape), len(context.classes), requested=options,
        steps=(recipe.epochs or 1) * -(-pictures // batch),
        length=60 * recipe.minutes if free and recipe.minutes is not None else None,
    )  # fmt: skip
    return chosen, PassControl.from_context(context, chosen)


def _plan_again(context: Context, net: Net) -> Planned:
    """The plan and the number of passes that the run began with."""
    chosen = _plan_of(context)
    if not world().alone:  # another number of processes may share the cores now
        use_own_cores(world())
        if chosen.compile:
            context.note(
                message(
                    "uncompiled.processes",
                    "The run was compiled where it began; in several processes it goes on without.",
                )
            )
        chosen = chosen.replace(compile=False, threads=torch.get_num_threads())
    if chosen.compile:
        chosen = _compiled_here(context, chosen)
    return Planned(context, chosen, (net, PassControl.from_context(context, chosen)))


def _plan_of(context: Context) -> Plan:
    config: Any = context.resumed
    try:
        return Plan(**config["plan"])
    except (KeyError, TypeError) as why:
        raise RunError(f"{context.run.path / layout.RECIPE} is damaged: {why!r}.") from why


def _compiled_here(context: Context, chosen: Plan) -> Plan:
    """The same plan, or one that does without a compiler that this machine lacks."""
    try:
        refuse_without_compiler(chosen.device)
    except UsageError as why:
        context.note(
            message(
                "uncompiled", "{detail} The run was compiled where it began; here it goes on without.", detail=str(why)
            )
        )
        return chosen.replace(compile=False)
    return chosen


def _plan_ladder(context: Context) -> Planned:
    """Frozen networks compute as prediction does; each rung that learns is planned when it is reached."""
    distributed_worker.leave_to_main(context)
    chosen = Plan(
        device=pick_device(), threads=torch.get_num_threads(), reason="features in float32, as prediction computes"
    ).replace(**context.options)
    if context.resumed is None:
        write_recipe(context, chosen, {"transfer": [b.told for b in context.backbones]})
        _tell(context)
    else:
        context.run.strike(lambda record: record.kind == "rung")  # each is climbed again, what it learned is kept
    return Planned(context, chosen, None)


def _tell(context: Context) -> None:
    for sentence in (*context.data.manifest.notes, *sentences(context)):
        context.note(sentence)

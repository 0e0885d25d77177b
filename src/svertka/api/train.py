"""`train` and `resume`: prepare, build, plan, fit, write the results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from svertka.common.torchrun import refuse_several, world
from svertka.hardware.malloc import kept_memory
from svertka.hardware.options import parse_plan
from svertka.pipeline import distributed_worker
from svertka.pipeline.context import Context, Trained, Where
from svertka.pipeline.prepare import prepare, prepare_again
from svertka.records import Watch, silent
from svertka.runs.run_folder import Reader, Run
from svertka.runs.tensorboard import TensorBoard, require
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe


@kept_memory()
def train(
    data: Where,
    *,
    out: str | Path | None = None,
    net: str | None = None,
    size: int | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    manifest: str | Path | None = None,
    plan: str | Mapping[str, Any] | None = None,
    tensorboard: bool = False,
    readers: Sequence[Reader] = (),
    watch: Watch = silent,
    started: float | None = None,
    command: str | None = None,
    **settings: Any,
) -> Trained:
    """Turn labeled pictures into a classifier in a run folder.

    Args:
        data: a folder, an archive, a table, an address, a built-in name, or several of them: see docs/data.md.
        out: the run folder, new or empty; runs/NAME-N where None.
        net, size, epochs, minutes, seed, settings: fields of `Recipe`; what is left out is chosen from the data.
        manifest: manifest.json of an earlier run, or its folder; its files stay in the part where they were.
        plan: how to compute where it is not to be measured, as `--plan` takes it or as a dictionary.
        tensorboard: write the records for TensorBoard, too, into the run folder.
        readers: called with every record as log.jsonl holds it; closed at the end where they have a `close`.
        watch: called with each event of `svertka.records` as the work goes on.
        started: time.perf_counter() when the process started, so that totals count from there.
        command: what the report gives as the way to do it again.

    Raises:
        DataError, UsageError, TrainingError: see svertka.errors; the message is for the user.
    """
    if not world().is_main:
        return distributed_worker.follow(world())
    clock = Clock(started)
    given = {"net": net, "size": size, "epochs": epochs, "minutes": minutes, "seed": seed, **settings}
    recipe = Recipe.from_dict({k: v for k, v in given.items() if v is not None})
    options = parse_plan(plan)
    if options.get("compile"):
        refuse_several("--plan compile=yes")
    if tensorboard:
        require()
    context = prepare(
        data, recipe, out=out, manifest=manifest, options=options, clock=clock, watch=watch,
        command=command or shlex.join(["svertka", "train", *_words(data)]),
    )  # fmt: skip
    try:
        with context.run.held():
            return _carry_out(context, readers, tensorboard=tensorboard)
    except BaseException:
        context.run.discard()  # where there is nothing to resume yet
        raise


@kept_memory()
def resume(
    run: str | Path,
    *,
    tensorboard: bool = False,
    readers: Sequence[Reader] = (),
    watch: Watch = silent,
    started: float | None = None,
) -> Trained:
    """Go on where a run stopped, with the same data and recipe, to the same weights.

    Raises:
        RunError: no run there, it is finished or damaged, or another process trains it.
        DataError: its data have changed since.
    """
    if not world().is_main:
        return distributed_worker.follow(world())
    clock = Clock(started)
    if tensorboard:
        require()
    folder = Run.open(run)
    with folder.held():
        return _carry_out(prepare_again(folder, clock=clock, watch=watch), readers, tensorboard=tensorboard)


def _carry_out(context: Context, readers: Sequence[Reader], *, tensorboard: bool) -> Trained:
    """A training from its prepared pictures on; the steps are files of `pipeline`, in this order."""
    import torch

    from svertka.pipeline.build import build
    from svertka.pipeline.checkpointing import stop_on_signal
    from svertka.pipeline.fit import fit
    from svertka.pipeline.plan import plan
    from svertka.pipeline.write_results import write_results

    extra = [TensorBoard(context.run.path)] if tensorboard else []
    with context.run.read_along([*readers, *extra]), torch.random.fork_rng():
        built = build(context)
        planned = plan(built)
        with stop_on_signal(patiently=not world().alone) as stop:
            fitted = fit(planned, stop)
            return write_results(fitted)


def _words(data: Where) -> list[str]:
    return [str(data)] if isinstance(data, (str, Path)) else [str(one) for one in data]

"""`train`: source -> store -> manifest -> network -> loop -> run folder -> report.

The order of the first lines is for speed: worker processes decode while torch is imported here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka import data as rooms
from svertka.api.check import save_findings
from svertka.common import startup
from svertka.common.torchrun import refuse_several, world
from svertka.errors import DataError, RunError
from svertka.hardware.malloc import kept_memory
from svertka.hardware.options import parse_plan
from svertka.kinds import preprocess_from
from svertka.pipeline import distributed_worker
from svertka.pipeline.choose_preprocess import facts_of, from_scratch, refuse_frozen, usual_preprocess
from svertka.pipeline.context import Job, Trained, Where
from svertka.records import FilesDecoded, Watch, silent
from svertka.runs import layout
from svertka.runs.run_folder import Reader, Run
from svertka.runs.tensorboard import TensorBoard, require
from svertka.training.defaults import from_scratch as auto
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe
from svertka.transfer import local_weights

if TYPE_CHECKING:
    from svertka.transfer.backbones import Backbone


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
    asked = {"net": net, "size": size, "epochs": epochs, "minutes": minutes, "seed": seed, **settings}
    recipe = Recipe.from_dict({k: v for k, v in asked.items() if v is not None})
    fixed = parse_plan(plan)
    if fixed.get("compile"):
        refuse_several("--plan compile=yes")
    if tensorboard:
        require()
    listing = rooms.open_source  # whose own libraries come first: the system loads one at a time
    startup.ahead()
    source = listing(data, group_by=recipe.group_by)
    facts = facts_of(source)
    earlier = None if manifest is None else _earlier(Path(manifest))
    command = command or shlex.join(["svertka", "train", *_words(data)])
    job, backbones = _read(source, recipe, facts, earlier, out, fixed, clock, watch, command)
    from svertka.pipeline import train_network, train_transfer

    with _begun(job.run), job.run.read_along(_readers(job.run, readers, tensorboard)):
        if backbones:
            return train_transfer.start(job, backbones, facts)
        if local_weights.sought(job.recipe, facts.side):
            job.note(local_weights.missing_sentence())
        return train_network.learn(job, facts)


@contextlib.contextmanager
def _begun(run: Run) -> Iterator[None]:
    """A new run while it is trained; taken away where it ends before there is anything to resume."""
    try:
        with run.held():
            yield
    except BaseException:
        run.discard()
        raise


def _read(
    source: rooms.Source, recipe: Recipe, facts: auto.Facts, earlier: rooms.Manifest | None,
    out: str | Path | None, fixed: dict[str, Any], clock: Clock, watch: Watch, command: str,
) -> tuple[Job, list[Backbone]]:  # fmt: skip
    """Decode in other processes while torch is imported here; make the run folder once nothing stands against it."""
    weights, reasons = local_weights.wanted(recipe, facts.side), dict[str, str]()
    if weights:
        preprocess = usual_preprocess(recipe)
    else:
        refuse_frozen(recipe)
        recipe, reasons, preprocess = from_scratch(recipe, facts)
    run: Run | None = None
    backbones: list[Backbone] = []
    reading = rooms.begin_store(source, preprocess)  # decodes from here on, beside the imports below
    try:
        clock.now("import")
        with startup.at_ease():
            from svertka.audit import audit  # noqa: F401  all while the others decode
            from svertka.hardware.autotune import refuse_impossible
            from svertka.pipeline import build, train_transfer

        refuse_impossible(fixed)
        if weights:
            clock.now("weights")
            backbones = train_transfer.open_all(weights, recipe, unasked=recipe.weights is None, pictures=len(source))
            if backbones:
                needed = backbones[0].preprocess
            else:
                refuse_frozen(recipe)
                recipe, reasons, needed = from_scratch(recipe, facts)
            if not train_transfer.same_pixels(preprocess, needed):
                reading.cancel()
                reading = rooms.begin_store(source, needed)
            preprocess = needed
        if not backbones:
            build.check_net(recipe, preprocess, len(source.classes))
        distributed_worker.broadcast_source(source.to_dict(), preprocess)
        run = Run.create(out, source.name)
        clock.now("decode")
        store = reading.finish(lambda done, total: watch(FilesDecoded(done, total)))
        distributed_worker.signal_decoded(reading)
        clock.now("copies")
        files = _divide(run, source, store, recipe, earlier)
    except BaseException:
        reading.cancel()
        if run is not None:
            run.discard()
        raise
    job = Job(run, source, store, files, preprocess, recipe, reasons, watch, clock.started, command)
    job.read_seconds, job.wanted, job.clock = time.perf_counter() - clock.started, fixed, clock
    return job, backbones


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
        return _go_on(folder, watch, clock, readers, tensorboard=tensorboard)


def _go_on(folder: Run, watch: Watch, clock: Clock, readers: Sequence[Reader], *, tensorboard: bool) -> Trained:
    told = folder.read(layout.RECIPE)
    if (folder.path / layout.METRICS).is_file() and not folder.read(layout.METRICS).get("stopped"):
        raise RunError(f"{folder.path} is finished: there is nothing to resume.")
    try:
        recipe, preprocess = Recipe.from_dict(told["recipe"]), preprocess_from(told["preprocess"])
        command, reasons = told["command"], told["reasons"]
        source = rooms.reopen_source(told["data"], group_by=recipe.group_by)
    except (KeyError, TypeError, AttributeError) as why:
        raise RunError(f"{folder.path / 'recipe.json'} is damaged: {why!r}.") from why
    with rooms.begin_store(source, preprocess) as reading:
        clock.now("import")
        with startup.at_ease():
            from svertka.pipeline import train_network, train_transfer

        clock.now("decode")
        distributed_worker.broadcast_source(told["data"], preprocess)
        store = reading.finish(lambda done, total: watch(FilesDecoded(done, total)))
        distributed_worker.signal_decoded(reading)
    manifest = rooms.Manifest.load(folder.path / layout.MANIFEST)
    if not manifest.matches(store):
        raise DataError(
            f"{source.where} has changed since {folder.path} was begun: resuming would learn from other pictures."
        )
    job = Job(folder, source, store, manifest, preprocess, recipe, reasons, watch, clock.started, command)
    job.read_seconds, job.clock = clock.elapsed, clock
    clock.now("plan")
    with folder.read_along(_readers(folder, readers, tensorboard)):
        if "transfer" in told:
            return distributed_worker.in_main_only(train_transfer.go_on, job, told)
        if train_network.needs_its_start(job, told):
            (job.start,) = train_transfer.begun_with(job, [told["start"]])
        return train_network.go_on(job, told)


def _readers(run: Run, readers: Sequence[Reader], tensorboard: bool) -> list[Reader]:
    return [*readers, *([TensorBoard(run.path)] if tensorboard else [])]


def _words(data: Where) -> list[str]:
    return [str(data)] if isinstance(data, (str, Path)) else [str(one) for one in data]


def _divide(
    run: Run, source: rooms.Source, store: rooms.Store, recipe: Recipe, earlier: rooms.Manifest | None
) -> rooms.Manifest:
    """Check the pictures, and say which learn and which judge."""
    from svertka.audit import audit

    copies = rooms.find_copies(store, source.labels)
    files = rooms.make_manifest(
        source,
        store,
        seed=recipe.seed,
        share=recipe.validation,
        copies=copies.group,
        earlier=earlier,
    )
    found = audit(source, store, copies)
    save_findings(run, found, source, store)
    return dataclasses.replace(files, notes=tuple(dict.fromkeys([*files.notes, *found.warnings])))


def _earlier(place: Path) -> rooms.Manifest:
    return rooms.Manifest.load(place / layout.MANIFEST if place.is_dir() else place)

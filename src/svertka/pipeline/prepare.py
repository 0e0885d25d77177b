"""The first step of a training: source -> decoded store, manifest, audit, and the networks it starts from.

The order of its lines is for speed: worker processes decode while torch is imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka import data as rooms
from svertka.analysis.audit_report import save_findings
from svertka.common import startup
from svertka.data.prepare import Dataset, divide, finish
from svertka.errors import DataError, RunError
from svertka.kinds import image, preprocess_from
from svertka.kinds.base import Preprocess
from svertka.pipeline import distributed_worker
from svertka.pipeline.choose_preprocess import facts_of, from_scratch, refuse_frozen, usual_preprocess
from svertka.pipeline.context import Context, Journal, Where
from svertka.records import Watch
from svertka.runs import layout
from svertka.runs.run_folder import Run
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe
from svertka.transfer import local_weights

if TYPE_CHECKING:
    from svertka.training.defaults.from_scratch import Facts
    from svertka.transfer.backbones import Backbone


def prepare(
    where: Where, recipe: Recipe, *, out: str | Path | None, manifest: str | Path | None, options: Mapping[str, Any],
    clock: Clock, watch: Watch, command: str,
) -> Context:  # fmt: skip
    """A new training, up to its decoded and divided pictures, in a run folder of its own.

    Args:
        where: what `open_source` takes.
        recipe: as far as the person has set it.
        out: the run folder, new or empty; runs/NAME-N where None.
        manifest: of an earlier run, or its folder.
        options: fields of the plan that the person has set.
        clock, watch, command: as `train` has them.

    Raises:
        DataError, UsageError, WeightsError: before the run folder is made, or after it was taken away again.
    """
    open_source = rooms.open_source  # whose own libraries come first: the system loads one at a time
    startup.ahead()
    source = open_source(where, group_by=recipe.group_by)
    facts = facts_of(source)
    earlier = None if manifest is None else _manifest(Path(manifest))
    weights = local_weights.wanted(recipe, facts.side)
    first = usual_preprocess(recipe) if weights else _without_weights(recipe, facts).preprocess
    reading = rooms.begin_store(source, first)  # decodes from here on, beside the imports below
    run: Run | None = None
    try:
        clock.now("import")
        _import_beside_decoding()
        _refuse_impossible(options)
        start = _open_start(weights, recipe, facts, len(source), clock)
        if first != start.preprocess and not (start.backbones and _same_pixels(first, start.preprocess)):
            reading.cancel()
            reading = rooms.begin_store(source, start.preprocess)
        _check_start(start, len(source.classes))
        distributed_worker.broadcast_source(source.to_dict(), start.preprocess)
        run = Run.create(out, source.name)
        clock.now("decode")
        store = finish(reading, watch)
        distributed_worker.signal_decoded(reading)
        clock.now("copies")
        data = _audited(run, source, store, recipe, earlier)
    except BaseException:
        reading.cancel()
        if run is not None:
            run.discard()
        raise
    return Context(
        Journal(run, watch), data, start.preprocess, start.recipe, start.reasons, clock, command,
        read_seconds=clock.elapsed, facts=facts, options=options, backbones=start.backbones,
    )  # fmt: skip


def prepare_again(run: Run, *, clock: Clock, watch: Watch) -> Context:
    """A run that goes on, with the same pictures, recipe and weights.

    Raises:
        RunError: it is finished or damaged, or its weights are others now.
        DataError: its data have changed since.
    """
    config = run.read(layout.RECIPE)
    if (run.path / layout.METRICS).is_file() and not run.read(layout.METRICS).get("stopped"):
        raise RunError(f"{run.path} is finished: there is nothing to resume.")
    try:
        recipe, preprocess = Recipe.from_dict(config["recipe"]), preprocess_from(config["preprocess"])
        command, reasons, where = config["command"], config["reasons"], config["data"]
        source = rooms.reopen_source(where, group_by=recipe.group_by)
    except (KeyError, TypeError, AttributeError) as why:
        raise RunError(f"{run.path / layout.RECIPE} is damaged: {why!r}.") from why
    with rooms.begin_store(source, preprocess) as reading:
        clock.now("import")
        _import_beside_decoding()
        clock.now("decode")
        distributed_worker.broadcast_source(where, preprocess)
        store = finish(reading, watch)
        distributed_worker.signal_decoded(reading)
    manifest = rooms.Manifest.load(run.path / layout.MANIFEST)
    if not manifest.matches(store):
        raise DataError(
            f"{source.where} has changed since {run.path} was begun: resuming would learn from other pictures."
        )
    context = Context(
        Journal(run, watch, run.notes()), Dataset(source, store, manifest), preprocess, recipe, reasons, clock, command,
        read_seconds=clock.elapsed, resumed=config, facts=facts_of(source) if "transfer" in config else None,
    )  # fmt: skip
    return context.replace(backbones=_reopen_start(context))


@dataclass(frozen=True, slots=True)
class _Start:
    """What training starts from, and what that makes of the recipe and of the pictures."""

    recipe: Recipe
    reasons: dict[str, str]
    preprocess: Preprocess
    backbones: tuple[Backbone, ...] = ()


def _import_beside_decoding() -> None:
    """What the next steps need, while other processes decode."""
    with startup.at_ease():
        import svertka.audit
        import svertka.pipeline.fit
        import svertka.pipeline.ladder.climb  # noqa: F401


def _refuse_impossible(options: Mapping[str, Any]) -> None:
    from svertka.hardware.autotune import refuse_impossible

    refuse_impossible(dict(options))


def _without_weights(recipe: Recipe, facts: Facts) -> _Start:
    refuse_frozen(recipe)
    return _Start(*from_scratch(recipe, facts))


def _open_start(weights: tuple[str, ...], recipe: Recipe, facts: Facts, pictures: int, clock: Clock) -> _Start:
    """The networks behind the weights; without any of use here, training starts from scratch."""
    from svertka.pipeline.ladder.open_backbones import open_backbones

    if weights:
        clock.now("weights")
        backbones = open_backbones(weights, recipe, unasked=recipe.weights is None, pictures=pictures)
        if backbones:
            return _Start(recipe, {}, backbones[0].preprocess, tuple(backbones))
    return _without_weights(recipe, facts)


def _same_pixels(a: Preprocess, b: Preprocess) -> bool:
    from svertka.transfer.backbones import same_pixels

    if isinstance(a, image.Preprocess) and isinstance(b, image.Preprocess):
        return same_pixels(a, b)
    return a == b


def _check_start(start: _Start, classes: int) -> None:
    from svertka.pipeline.build import check_net

    if not start.backbones:
        check_net(start.recipe, start.preprocess, classes)


def _reopen_start(context: Context) -> tuple[Backbone, ...]:
    """The networks that a run began with, where it goes on from them: on the ladder, or before its first checkpoint."""
    from svertka.pipeline.checkpointing import saved_checkpoint
    from svertka.pipeline.ladder.open_backbones import reopen_backbones

    config = context.resumed or {}
    if "transfer" in config:
        return tuple(reopen_backbones(context, config["transfer"]))
    if "start" in config and saved_checkpoint(context.run) is None:
        return tuple(reopen_backbones(context, [config["start"]]))
    return ()


def _audited(
    run: Run, source: rooms.Source, store: rooms.Store, recipe: Recipe, earlier: rooms.Manifest | None
) -> Dataset:
    """Check the pictures, and say which learn and which judge."""
    from svertka.audit import audit

    copies = rooms.find_copies(store, source.labels)
    data = divide(source, store, seed=recipe.seed, share=recipe.validation, copies=copies, earlier=earlier)
    found = audit(source, store, copies)
    save_findings(run, found, source, store)
    notes = tuple(dict.fromkeys([*data.manifest.notes, *found.warnings]))
    return dataclasses.replace(data, manifest=dataclasses.replace(data.manifest, notes=notes))


def _manifest(place: Path) -> rooms.Manifest:
    return rooms.Manifest.load(place / layout.MANIFEST if place.is_dir() else place)

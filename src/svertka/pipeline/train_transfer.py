"""The part of `train` that starts from weights: frozen features once, then the ladder as high as time allows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka import data as rooms
from svertka.analysis.training_report import report_training
from svertka.common.messages import message
from svertka.errors import RunError, SvertkaError, UsageError
from svertka.hardware.device import pick_device
from svertka.hardware.plan import Plan
from svertka.models import Model
from svertka.pipeline import distributed_worker, train_network
from svertka.pipeline.checkpointing import asked_to_stop
from svertka.pipeline.context import Job, Trained
from svertka.pipeline.data_notes import sentences
from svertka.pipeline.embedding_map import write_map
from svertka.pipeline.feature_extraction import Looking, Stopped
from svertka.pipeline.ladder_resume import Waypoints
from svertka.pipeline.ladder_run import Climb, vary
from svertka.pipeline.write_results import score, write_arrays, write_failures, write_metrics, write_recipe
from svertka.runs import layout
from svertka.training.defaults import from_scratch
from svertka.training.freeze import named_parts
from svertka.training.recipe import Recipe
from svertka.transfer.backbones import SMALL, Backbone, open_backbone, same_pixels, with_stages, with_vlad
from svertka.transfer.finetune import gentle
from svertka.transfer.ladder import USUAL, Candidate, Ladder, as_labels
from svertka.transfer.local_weights import OPENED
from svertka.transfer.model_selection import allowed, strongest

SAMPLE = 128  # training pictures whose maps give NetVLAD its centers
OF_USE = message(
    "weights.of-use",
    "of the weights at hand, chosen by accuracy on ImageNet and by how long looking at all pictures takes here",
)


def open_all(what: Sequence[str | Path], recipe: Recipe, *, unasked: bool, pictures: int = 0) -> list[Backbone]:
    """The backbones behind names and files, prepared for the size and fit that the recipe asks for.

    Args:
        what: what `open_backbone` takes.
        recipe: its `net` names the network of a file; its `size` and `fit` replace the backbone's own, its `stages`
            say how many stages the head sees.
        unasked: the files were found, not named: the strongest for these pictures and this time are taken, and those of
            no use are passed over.
        pictures: that will be looked at.

    Raises:
        WeightsError, RunError, UnknownName, UsageError: as `open_backbone` does, for what was named.
        UnknownName: `freeze` names what a network has not.
        ShapeError: a network cannot take pictures of that size.
        UsageError: two that were named want their pictures prepared differently or hold the same weights, `stages` asks
            for more than there are, or `freeze` and `head` ask for what cannot be.
    """
    found = _of_use(what, recipe, pictures) if unasked else _named(what, recipe)
    for backbone in found:
        if recipe.freeze not in (None, "auto"):
            named_parts(backbone.net, recipe.freeze)
    if _leaves_the_ladder(recipe):
        if len(found) > 1:
            names = " and ".join(backbone.name for backbone in found)
            raise UsageError(f"--freeze {recipe.freeze} needs one network to start from, not {names}.")
        if recipe.head in ("neighbors", "netvlad"):
            raise UsageError(f"--set head={recipe.head} stands on a frozen network: leave --freeze away.")
    return found


def _named(what: Sequence[str | Path], recipe: Recipe) -> list[Backbone]:
    found: list[Backbone] = []
    for one in what:
        backbone = _fitted(open_backbone(one, net=recipe.net), recipe)
        if found and not same_pixels(found[0].preprocess, backbone.preprocess):
            raise UsageError(
                f"{found[0].name} and {backbone.name} want their pictures prepared differently: name one of them."
            )
        if any(backbone.digest == other.digest for other in found):
            raise UsageError(f"{one} holds the same weights as {found[0].source}: name each once.")
        found.append(backbone)
    return found


def _of_use(files: Sequence[str | Path], recipe: Recipe, pictures: int) -> list[Backbone]:
    """Of files that lie here: those for photos, with as many stages as were asked for, that the time allows."""
    found: dict[str, Backbone] = {}
    short: UsageError | None = None
    for file in files:
        if len(found) == OPENED:
            break
        try:
            backbone = _fitted(open_backbone(file, net=recipe.net), recipe)
        except UsageError as why:  # too few stages
            short = why
        except SvertkaError:
            continue
        else:
            if backbone.preprocess.height > SMALL:
                found.setdefault(backbone.digest, backbone)
    if short is not None and not found:
        raise short
    return strongest(list(found.values()), pictures, allowed(recipe.minutes))


def _leaves_the_ladder(recipe: Recipe) -> bool:
    """Whether `freeze` says what learns, so that the usual loop trains it."""
    return recipe.freeze not in (None, "auto", "backbone")


def _fitted(backbone: Backbone, recipe: Recipe) -> Backbone:
    own = backbone.preprocess
    side, fit = recipe.size, recipe.fit or own.fit
    changed = dataclasses.replace(
        own, height=side or own.height, width=side or own.width, fit=fit, zoom=own.zoom if fit == "crop" else 1.0
    )
    backbone.net.check(changed.shape[1:])
    if recipe.stages is not None:
        backbone = with_stages(backbone, recipe.stages)
    return dataclasses.replace(backbone, preprocess=changed, spec={**backbone.spec, "shape": list(changed.shape)})


def start(job: Job, backbones: Sequence[Backbone], facts: from_scratch.Facts) -> Trained:
    """A new run that starts from weights: by the ladder, or by the usual loop where `freeze` says what learns."""
    names = " and ".join(str(b.spec["name"]) for b in backbones)
    of_weights = message("weights.named", "the weights are of this network") if job.recipe.weights else OF_USE
    job.recipe = job.recipe.replace(net=names, size=job.preprocess.height, fit=job.preprocess.fit)
    job.reasons |= {
        "net": of_weights,
        "size": message("size.weights", "{names} learned from pictures of this size", names=names),
    }
    told = _told(backbones, facts)
    if _leaves_the_ladder(job.recipe):
        job.start = backbones[0]
        job.recipe, reasons = gentle(job.recipe, job.count("train"))
        job.reasons |= reasons
        for sentence in told:
            job.note(sentence)
        return train_network.learn(job, facts)
    job.recipe, reasons = vary(job.recipe, facts)
    job.reasons |= reasons
    return distributed_worker.in_main_only(climb, job, backbones, told, facts.side)


def go_on(job: Job, told: dict[str, Any]) -> Trained:
    """A run that was interrupted: what was looked at is in the cache, so it goes on from there.

    Raises:
        RunError: see `begun_with`.
    """
    backbones = begun_with(job, told["transfer"])
    job.notes = job.run.notes()
    job.run.strike(lambda record: record.kind == "rung")  # each is climbed again, what was learned on it is kept
    return climb(job, backbones, [], rooms.survey(job.source).side, again=True)


def begun_with(job: Job, rows: Sequence[Mapping[str, str]]) -> list[Backbone]:
    """The networks that a run began with, by what recipe.json has of `Backbone.told`.

    Raises:
        RunError: the weights are others now, or recipe.json is damaged.
    """
    try:
        found = [open_all([row["weights"]], job.recipe.replace(net=row["name"]), unasked=False)[0] for row in rows]
        same = [b.digest for b in found] == [row["digest"] for row in rows]
    except (KeyError, TypeError) as why:
        raise RunError(f"{job.run.path / 'recipe.json'} is damaged: {why!r}.") from why
    if not same:
        raise RunError(f"{job.run.path} was begun with other weights than there are now.")
    return found


def _told(backbones: Sequence[Backbone], facts: from_scratch.Facts) -> list[str]:
    """What a person should know about these pictures in front of these networks."""
    wanted, name = backbones[0].preprocess, " and ".join(b.name for b in backbones)
    notes = []
    if facts.side < wanted.height:
        notes.append(
            message(
                "enlarged",
                "The pictures, {side} pixels on a side, are enlarged to the {size} that {name} works on.",
                side=str(facts.side),
                size=str(wanted.height),
                name=name,
            )
        )
    if wanted.channels == 3 and not facts.color:
        notes.append(
            message(
                "gray-as-color",
                "{name} learned from color pictures: gray ones are given to it as three equal channels.",
                name=name,
            )
        )
    if wanted.channels == 1 and facts.color:
        notes.append(
            message("color-as-gray", "{name} learned from gray pictures: the colors of yours are left out.", name=name)
        )
    return notes


def climb(job: Job, backbones: Sequence[Backbone], told: Sequence[str], side: int, *, again: bool = False) -> Trained:
    """The ladder, from the decoded pictures on.

    Args:
        job, backbones: what learns from what.
        told: sentences for the person.
        side: of the pictures, in pixels.
        again: a run that goes on.

    Raises:
        KeyboardInterrupt: the person asked to stop before anything was learned; what was looked at is kept.
    """
    plan = Plan(
        device=pick_device(), threads=torch.get_num_threads(), reason="features in float32, as prediction computes"
    ).replace(**job.wanted)
    if not again:
        write_recipe(job, plan, {"transfer": [b.told for b in backbones]})
        for sentence in (*job.manifest.notes, *sentences(job), *told):
            job.note(sentence)
    labels = {p: as_labels(job.labels(p)) for p in ("train", "validation", "test") if job.count(p)}
    job.clock.now("features")
    stopped, head = False, job.recipe.head
    with asked_to_stop() as asked, torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        looking = Looking(job, plan.device, asked)
        kinds = USUAL if head is None else ("linear",) if head == "netvlad" else (head,)
        ladder = Ladder(labels, len(job.manifest.classes), looking, kinds=kinds)
        if head == "netvlad":
            some = job.manifest.indices("train")
            pixels = np.asarray(job.store.pixels[np.sort(some[:: -(-len(some) // SAMPLE)])])
            backbones = [with_vlad(backbone, pixels) for backbone in backbones]
        way = Waypoints.of(job.run, job.started)
        try:
            for rung in Climb(job, ladder, looking, plan, side, way).rungs(backbones):
                job.run.log({"kind": "rung", **rung.to_dict()})
                job.watch(rung)
                if asked.is_set():
                    raise Stopped
        except Stopped:
            stopped = True
    if ladder.best is None:
        raise KeyboardInterrupt
    done = _finish(job, looking.told(plan), ladder, ladder.best, looking, stopped)
    if not stopped:
        way.arrive()
    return done


def _finish(job: Job, plan: Plan, ladder: Ladder, best: Candidate, looking: Looking, stopped: bool) -> Trained:
    job.clock.now("end")
    job.preprocess, spec = best.backbone.preprocess, best.spec
    job.recipe = job.recipe.replace(net=best.backbone.name)
    parts = [part for part in ("validation", "test") if part in best.logits]
    if stopped:  # the test part is scored once, at the end
        parts = [part for part in parts if part != "test"]
    scores = score(job, ((part, best.logits[part], ladder.labels[part]) for part in parts))
    classes = job.manifest.classes
    model = Model(best.net.cpu(), classes, job.preprocess, spec, scores.temperature, scores.thresholds, best.mirror)
    model.save(job.run.path / layout.MODEL)
    write_arrays(job, scores.arrays)
    write_failures(job, scores)
    write_map(job, looking, best, scores.arrays.get("validation_probability"))
    gain = ladder.gain()
    climbed = {"ladder": [rung.to_dict() for rung in ladder.rungs], "gain": gain.to_dict() if gain else None}
    summary = write_metrics(
        job, plan, best.net, scores.found, stopped=stopped,
        seconds=time.perf_counter() - job.started - job.read_seconds, speed=looking.speed, epochs=job.recipe.epochs,
        more={"weights": model.facts["weights"]["sha256"], "backbone": best.backbone.digest, **climbed},
    )  # fmt: skip
    summary |= climbed
    report_training(job.run.path, model, summary["seconds"]["total"])
    return Trained(job.run.path, summary, stopped)

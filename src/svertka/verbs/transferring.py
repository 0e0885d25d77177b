"""The part of `train` that starts from weights: frozen features once, then the ladder as high as time allows."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from svertka.bundle import Model
from svertka.data.augment import Augment
from svertka.errors import RunError, SvertkaError, UsageError
from svertka.reporting import write_report
from svertka.training import auto
from svertka.training.forecast import END
from svertka.training.machine import pick_device
from svertka.training.plan import Plan
from svertka.training.recipe import Recipe
from svertka.transfer.backbones import SMALL, Backbone, open_backbone, same_pixels
from svertka.transfer.features import View, extract
from svertka.transfer.finding import MOST
from svertka.transfer.finetune import RATE, finetune
from svertka.transfer.ladder import Candidate, Ladder, as_labels, logits_of
from svertka.verbs import learning
from svertka.verbs.building import loader
from svertka.verbs.finishing import score, write_arrays, write_failures, write_metrics, write_recipe
from svertka.verbs.job import Job, Trained
from svertka.verbs.notes import sentences

VIEWS = 4  # varied views of each training picture
BATCH = 32  # of the upper rungs
COST = 4.0  # a training step of the whole network, in forward passes; of the last stages, half of that
EPOCHS = 10  # of an upper rung, where time allows
LAST = 2  # stages that the first upper rung unfreezes


def open_all(what: Sequence[str | Path], recipe: Recipe, *, unasked: bool) -> list[Backbone]:
    """The backbones behind names and files, prepared for the size and fit that the recipe asks for.

    Args:
        what: what `open_backbone` takes.
        recipe: its `net` names the network of a file; its `size` and `fit` replace the backbone's own.
        unasked: the files were found, not named: those that are of no use are passed over.

    Raises:
        WeightsError, RunError, UnknownName, UsageError: as `open_backbone` does, for what was named.
        ShapeError: a network cannot take pictures of that size.
        UsageError: two that were named want their pictures prepared differently.
    """
    found: list[Backbone] = []
    for one in what:
        try:
            backbone = _fitted(open_backbone(one, net=recipe.net), recipe)
        except SvertkaError:
            if unasked:
                continue
            raise
        if unasked and (len(found) == MOST or backbone.preprocess.height <= SMALL):
            continue
        if found and not same_pixels(found[0].preprocess, backbone.preprocess):
            if unasked:
                continue
            raise UsageError(
                f"{found[0].name} and {backbone.name} want their pictures prepared differently: name one of them."
            )
        found.append(backbone)
    return found


def _fitted(backbone: Backbone, recipe: Recipe) -> Backbone:
    own = backbone.preprocess
    side, fit = recipe.size, recipe.fit or own.fit
    changed = dataclasses.replace(
        own, height=side or own.height, width=side or own.width, fit=fit, zoom=own.zoom if fit == "crop" else 1.0
    )
    backbone.net.check(changed.shape[1:])
    return dataclasses.replace(backbone, preprocess=changed, spec={**backbone.spec, "shape": list(changed.shape)})


def start(job: Job, backbones: Sequence[Backbone], facts: auto.Facts) -> Trained:
    """A new run that starts from weights: by the ladder, or by the usual loop where `freeze` says what learns."""
    names = " and ".join(b.name for b in backbones)
    job.recipe = job.recipe.replace(net=names, size=job.preprocess.height, fit=job.preprocess.fit)
    job.reasons |= {"net": "the weights are of this network", "size": f"{names} learned from pictures of this size"}
    told = _told(backbones, facts)
    if job.recipe.freeze not in (None, "auto", "backbone"):
        if len(backbones) > 1:
            raise UsageError(f"--freeze {job.recipe.freeze} needs one network to start from, not {names}.")
        job.start = backbones[0]
        for sentence in told:
            job.note(sentence)
        return learning.learn(job, facts)
    return climb(job, backbones, told)


def go_on(job: Job, told: dict[str, Any]) -> Trained:
    """A run that was interrupted: what was looked at is in the cache, so it goes on from there.

    Raises:
        RunError: the weights are others than those that the run began with.
    """
    backbones = open_all([row["weights"] for row in told["transfer"]], job.recipe.replace(net=None), unasked=False)
    if [b.digest for b in backbones] != [row["digest"] for row in told["transfer"]]:
        raise RunError(f"{job.run.path} was begun with other weights than there are now.")
    return climb(job, backbones, [], again=True)


def _told(backbones: Sequence[Backbone], facts: auto.Facts) -> list[str]:
    """What a person should know about these pictures in front of these networks."""
    wanted, name = backbones[0].preprocess, " and ".join(b.name for b in backbones)
    notes = []
    if facts.side < wanted.height:
        notes.append(
            f"The pictures, {facts.side} pixels on a side, are enlarged to the {wanted.height} that {name} works on."
        )
    if wanted.channels == 3 and not facts.colour:
        notes.append(f"{name} learned from colour pictures: grey ones are given to it as three equal channels.")
    if wanted.channels == 1 and facts.colour:
        notes.append(f"{name} learned from grey pictures: the colours of yours are left out.")
    return notes


def climb(job: Job, backbones: Sequence[Backbone], told: Sequence[str], *, again: bool = False) -> Trained:
    """The ladder, from the decoded pictures on; `told` are sentences for the person, `again` is a run that goes on."""
    plan = Plan(
        device=pick_device(), threads=torch.get_num_threads(), reason="features in float32, as prediction computes"
    ).replace(**job.wanted)
    if not again:
        starts = [{"weights": b.source, "name": b.name, "digest": b.digest} for b in backbones]
        write_recipe(job, plan, {"transfer": starts})
        for sentence in (*job.source.notes, *sentences(job), *told):
            job.note(sentence)
    job.clock.now("features")
    looking = _Looking(job, plan.device)
    parts = {p: job.manifest.indices(p) for p in ("train", "validation", "test")}
    labels = {p: as_labels(job.manifest.labels[index]) for p, index in parts.items() if len(index)}
    ladder = Ladder(labels, len(job.manifest.classes), looking)
    for rung in ladder.cached(backbones):
        _tell(job, rung)
    if job.recipe.minutes is not None:
        _climb_on(job, ladder, looking, plan)
    return _finish(job, plan, ladder, looking)


def _climb_on(job: Job, ladder: Ladder, looking: _Looking, plan: Plan) -> None:
    """The rungs that take longer than one look, each only where it fits into the time that is left."""
    pictures = len(ladder.labels["train"])
    best = ladder.best.backbone
    each = looking.seconds_each(best)

    def left() -> float:
        return job.recipe.minutes * 60 - (time.perf_counter() - job.started) - END

    views = min(VIEWS, int(0.4 * left() / (each * pictures)))
    if views > 0:
        varied = Augment(flip=True, shift=0.08, scale=0.15)
        for rung in ladder.varied(_parts(best, looking.seen), [View(k, varied) for k in range(1, views + 1)]):
            _tell(job, rung)
    for name, last, cost in (("last stages unfrozen", LAST, COST / 2), ("whole network", None, COST)):
        epoch = each * (cost * pictures + len(ladder.labels.get("validation", ())))
        epochs = min(EPOCHS, int(0.5 * left() / epoch))
        if epochs < 1 or pictures < 2:
            job.note(
                f"The rung {name!r} was left out: one pass takes about {epoch:.0f} seconds. More --minutes allow it."
            )
            break
        _unfreeze(job, ladder, plan, name, last, epochs)


def _unfreeze(job: Job, ladder: Ladder, plan: Plan, name: str, last: int | None, epochs: int) -> None:
    begun = time.perf_counter()
    from_rung = ladder.start
    backbone, net = from_rung.backbone, copy.deepcopy(from_rung.net)
    recipe = job.recipe.replace(epochs=epochs, batch=BATCH, rate=RATE, schedule="onecycle", label_smoothing=0.1)
    shown = job.preprocess
    job.preprocess = backbone.preprocess
    job.recipe, kept = recipe.replace(flip=True, shift=0.08, scale=0.15), job.recipe
    try:
        train = loader(job, "train", plan, training=True)
        validation = loader(job, "validation", plan) if "validation" in ladder.labels else None
        for record in finetune(net, train, validation, job.recipe, plan, last):
            if isinstance(record, torch.nn.Module):
                break
            job.tell(record, kind="climb", rung=name)
        logits = {
            part: logits_of(net, iter(loader(job, part, plan)), plan.device)
            for part in ladder.labels if part != "train"
        }  # fmt: skip
    finally:
        job.preprocess, job.recipe = shown, kept
    candidate = Candidate(backbone, net.cpu(), logits)
    _tell(job, ladder.measure(name, f"{epochs} epochs, rates by depth", candidate, None, begun))


def _parts(backbone: Backbone, seen: dict[str, Backbone]) -> list[Backbone]:
    """The backbones that one stands for: those side by side in it, or itself."""
    return [seen[name] for name in backbone.name.split(" + ")]


class _Looking:
    """Features of each part by each backbone, kept while the run lasts; times what is computed."""

    def __init__(self, job: Job, device: str) -> None:
        self.job, self.device = job, device
        self.seen: dict[str, Backbone] = {}
        self.kept: dict[tuple[str, str, View], torch.Tensor] = {}
        self.spent: dict[str, tuple[float, int]] = {}  # seconds and pictures of each backbone
        self.seconds, self.pictures = 0.0, 0

    def __call__(self, backbone: Backbone, part: str, view: View) -> torch.Tensor:
        key = (backbone.name, part, view)
        if key not in self.kept:
            begun, computed = time.perf_counter(), 0

            def count(done: int, total: int) -> None:
                nonlocal computed, begun
                if done == 0:
                    begun = time.perf_counter()  # making the network quick is no part of a picture's time
                computed = done
                self.job.watch("look", (done, total, backbone.name))

            self.kept[key] = extract(
                backbone, self.job.store.pixels, self.job.store.digests, self.job.manifest.indices(part),
                view=view, device=self.device, progress=count,
            )  # fmt: skip
            self.seen[backbone.name] = backbone
            seconds, pictures = self.spent.get(backbone.name, (0.0, 0))
            if computed:
                spent = time.perf_counter() - begun
                self.spent[backbone.name] = seconds + spent, pictures + computed
                self.seconds, self.pictures = self.seconds + spent, self.pictures + computed
        return self.kept[key]

    def seconds_each(self, backbone: Backbone) -> float:
        """Seconds for one picture through a backbone; of one that all was known of already, by trying one batch."""
        total = 0.0
        for part in _parts(backbone, self.seen):
            if part.name not in self.spent:
                x = torch.zeros(8, *part.preprocess.shape)
                begun = time.perf_counter()
                with torch.inference_mode():
                    part.net.embed(x)
                self.spent[part.name] = time.perf_counter() - begun, len(x)
            seconds, pictures = self.spent[part.name]
            total += seconds / pictures
        return total


def _tell(job: Job, rung: Any) -> None:
    job.run.log({"kind": "rung", **rung.to_dict()})
    job.watch("rung", rung)


def _finish(job: Job, plan: Plan, ladder: Ladder, looking: _Looking) -> Trained:
    job.clock.now("end")
    best = ladder.best
    job.preprocess = best.backbone.preprocess
    job.recipe = job.recipe.replace(net=best.backbone.name)
    parts = [part for part in ("validation", "test") if part in best.logits]
    scores = score(job, ((part, best.logits[part], ladder.labels[part]) for part in parts))
    net, spec = best.net.cpu(), best.spec
    model = Model(net, job.manifest.classes, job.preprocess, spec, scores.temperature, scores.thresholds)
    model.save(job.run.path / "model")
    write_arrays(job, scores.arrays)
    write_failures(job, scores)
    speed = looking.pictures / looking.seconds if looking.seconds else 0.0
    rungs = [rung.to_dict() for rung in ladder.rungs]
    summary = write_metrics(
        job, plan, best.net, scores.found,
        seconds=time.perf_counter() - job.started - job.read_seconds, speed=speed,
        more={"weights": model.facts["weights"]["sha256"], "ladder": rungs, "backbone": best.backbone.digest},
    )  # fmt: skip
    summary["ladder"] = rungs
    write_report(job.run.path)
    return Trained(job.run.path, summary)

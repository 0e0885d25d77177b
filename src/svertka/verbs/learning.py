"""The part of `train` that needs torch: build, plan, fit, measure, write."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import svertka
from svertka import zoo
from svertka.blocks import Net
from svertka.bundle import Model, build, describe
from svertka.data.loader import Loader
from svertka.errors import TrainingError, UnknownName, UsageError
from svertka.evaluation import Evaluation, evaluate, worst_mistakes
from svertka.evaluation.temperature import fit_temperature, softmax
from svertka.records import Epoch, plain
from svertka.reporting import write_report
from svertka.signals import Preprocess
from svertka.training import auto, balance, checkpoint, loop
from svertka.training.plan import Plan, machine, make_plan
from svertka.training.recipe import Recipe
from svertka.training.run import CHECKPOINT
from svertka.training.variation import variation
from svertka.verbs.job import Job, Trained
from svertka.zoo.weights import load_weights, published

CHECKPOINT_SHARE = 0.02  # of the time that checkpoints at ends of epochs may take
FINISH_SECONDS = 3.0  # kept free for scoring and the report
OVERHEAD = 1.15  # a real step also reads, varies and validates
MOST = 10  # times the usual number of passes, however many minutes there are
SHOWN = 24  # worst mistakes that the report may show
SIDE = 160  # of pictures in the report, at most


def check_net(recipe: Recipe, preprocess: Preprocess, classes: int) -> None:
    """Refuse a network that does not exist or cannot take the pictures, before any time is spent on them."""
    if recipe.net is not None:
        with torch.device("meta"):
            net = zoo.make(recipe.net, preprocess.shape, classes)
            net.eval()(torch.empty(1, *preprocess.shape))


def learn(job: Job, facts: auto.Facts) -> Trained:
    """A new run, from the decoded pictures on."""
    job.preprocess = _with_statistics(job)
    job.recipe, reasons = auto.choose_rest(job.recipe, dataclasses.replace(facts, training=_count(job, "train")))
    job.reasons = {**job.reasons, **reasons}
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        net = _first_net(job)
        shape = (min(job.recipe.batch, _count(job, "train")), *job.preprocess.shape)
        plan = make_plan(net, shape, len(job.manifest.classes))
        job.watch("plan", plan)
        if job.recipe.minutes is not None:
            _fit_into_minutes(job, plan, told=reasons)
        _write_recipe(job, plan, net)
        for sentence in (*job.manifest.notes, *_sentences(job)):
            job.note(sentence)
        job.run.log({"kind": "plan", **plan.to_dict()})
        state = loop.begin(net, job.recipe, plan)
        return _carry_out(job, plan, state)


def go_on(job: Job, told: dict[str, Any]) -> Trained:
    """A run that was stopped, from its checkpoint on, by the plan it began with."""
    plan = Plan(**told["plan"])
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        saved = (job.run.path / CHECKPOINT).is_dir()  # else it was stopped before its first: from the start
        net = build(told["network"], len(job.manifest.classes)) if saved else _first_net(job)
        state = loop.begin(net, job.recipe, plan)
        if saved:
            checkpoint.restore(state, job.run.path / CHECKPOINT)
        job.run.rewind(state.step, len(_loader(job, "train", plan, training=True)))
        torch.set_num_threads(plan.threads)  # other threads sum in another order
        return _carry_out(job, plan, state)


def _carry_out(job: Job, plan: Plan, state: loop.State) -> Trained:
    train = _loader(job, "train", plan, training=True)
    validation = _loader(job, "validation", plan) if _count(job, "validation") else None
    if job.recipe.balance == "weights":
        state.class_weights = balance.class_weights(_labels(job, "train"), len(job.manifest.classes)).to(plan.device)
    begun, steps = time.perf_counter(), state.step
    stopped, saver = False, _Saver(job, state)
    with _asked_to_stop() as asked:
        for record in loop.fit(state, train, validation, job.recipe, plan):
            job.run.log(plain(record))
            job.watch("epoch" if isinstance(record, Epoch) else "step", record)
            if asked.is_set() or (isinstance(record, Epoch) and saver.due()):
                saver.save()
            if asked.is_set():
                stopped = state.step < (job.recipe.epochs or 1) * len(train)
                break
    if not state.best_tensors:  # stopped within the first pass: what there is
        state.best_tensors = loop.snapshot(state.measured_net)
    speed = (state.step - steps) * train.batch / max(1e-9, time.perf_counter() - begun)
    return _finish(job, plan, state, stopped, speed)


class _Saver:
    """Checkpoints of one run, as often as they are cheap."""

    def __init__(self, job: Job, state: loop.State) -> None:
        self.folder, self.state = job.run.path / CHECKPOINT, state
        self.saved, self.cost = time.perf_counter(), 0.0

    def due(self) -> bool:
        return CHECKPOINT_SHARE * (time.perf_counter() - self.saved) > self.cost

    def save(self) -> None:
        begun = time.perf_counter()
        checkpoint.save(self.state, self.folder)
        self.saved = time.perf_counter()
        self.cost = self.saved - begun


def _finish(job: Job, plan: Plan, state: loop.State, stopped: bool, speed: float) -> Trained:
    net = state.measured_net
    net.load_state_dict(state.best_tensors)
    found: dict[str, Evaluation | None] = {"validation": None, "test": None}
    arrays: dict[str, np.ndarray] = {}
    temperature = 1.0
    for part in found:  # validation first: it sets the temperature that the test is scored with
        index = job.manifest.indices(part)
        if not len(index) or (stopped and part == "test"):  # the test part is scored once, at the end
            continue
        logits, labels = (t.cpu().numpy() for t in loop.collect(net, _loader(job, part, plan)))
        if part == "validation":
            temperature = fit_temperature(logits, labels)
        shares = softmax(logits, temperature)
        found[part] = evaluate(shares, labels, job.manifest.classes)
        arrays |= {f"{part}_index": index, f"{part}_probability": shares}
    spec = describe(state.net, job.recipe.net, job.preprocess.shape)
    Model(net, job.manifest.classes, job.preprocess, spec, temperature).save(job.run.path / "model")
    _save_arrays(job, arrays)
    summary = _write_metrics(job, plan, state, found, stopped, speed)
    write_report(job.run.path)
    return Trained(job.run.path, summary, stopped)


def _write_metrics(
    job: Job,
    plan: Plan,
    state: loop.State,
    found: dict[str, Evaluation | None],
    stopped: bool,
    speed: float,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    metrics = {
        **{part: e.to_dict() if e else None for part, e in found.items()},
        "stopped": stopped,
        "parameters": sum(p.numel() for p in state.net.parameters()),
        "epochs": job.recipe.epochs,
        "best_epoch": state.best_epoch,
        "seconds": {
            "total": round(time.perf_counter() - job.started, 3),
            "read": round(job.read_seconds, 3),
            "train": round(state.seconds, 3),
        },
        "images_per_second": round(speed, 1),
        "plan": plan.to_dict(),
        "machine": machine(),
        "unreadable": [{"path": u.path, "reason": u.reason} for u in job.unreadable()],
        "skipped": [{"path": u.path, "reason": u.reason} for u in job.source.skipped],
        "notes": job.notes,
        **(more or {}),
    }
    job.run.write("metrics.json", metrics)
    brief = {part: _brief(e) for part, e in found.items()}
    keep = ("parameters", "epochs", "seconds", "images_per_second", "plan", "stopped")
    return {
        "run": str(job.run.path),
        "net": job.recipe.net,
        "classes": list(job.manifest.classes),
        **{k: metrics[k] for k in keep},
        **brief,
    }


def _brief(found: Evaluation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    a = found.accuracy
    return {"accuracy": a.value, "low": a.low, "high": a.high, "n": a.n}


def _save_arrays(job: Job, arrays: dict[str, np.ndarray]) -> None:
    shown: list[np.ndarray] = [_one_of_each(job)]  # how pictures look that were learned from
    for part in ("validation", "test"):
        if f"{part}_index" in arrays:
            index = arrays[f"{part}_index"]
            worst = worst_mistakes(arrays[f"{part}_probability"], job.manifest.labels[index], SHOWN)
            shown.append(index[worst])
    index = np.unique(np.concatenate(shown))
    pixels = np.asarray(job.store.pixels[index])
    thin = -(-max(pixels.shape[1:3]) // SIDE)
    try:
        np.savez(job.run.path / "predictions.npz", **arrays)
        np.savez(job.run.path / "examples.npz", pixels=pixels[:, ::thin, ::thin], index=index)
    except OSError as why:
        raise TrainingError(f"{job.run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def _one_of_each(job: Job) -> np.ndarray:
    index = job.manifest.indices("train")
    _, first = np.unique(job.manifest.labels[index], return_index=True)
    return index[first[:SHOWN]]


def _loader(job: Job, part: str, plan: Plan, *, training: bool = False) -> Loader:
    recipe = job.recipe
    return Loader(
        job.store.pixels,
        job.manifest.labels,
        job.manifest.indices(part),
        job.preprocess,
        batch=recipe.batch if training else max(recipe.batch, 256),
        seed=recipe.seed if training else None,
        augment=variation(recipe) if training else None,
        balanced=training and recipe.balance == "sample",
        classes=len(job.manifest.classes),
        full=training,
        device=plan.device,
    )


def _count(job: Job, part: str) -> int:
    return len(job.manifest.indices(part))


def _labels(job: Job, part: str) -> np.ndarray:
    return job.manifest.labels[job.manifest.indices(part)]


def _with_statistics(job: Job) -> Preprocess:
    """Mean and deviation of each channel over (at most 2,000 of) the training pictures."""
    if job.start is not None:
        return job.preprocess
    row = published(job.recipe.weights) if job.recipe.weights not in (None, "none") else None
    if row is not None:  # the weights know pictures in this range
        return dataclasses.replace(job.preprocess, mean=row.mean, std=row.std)
    index = job.manifest.indices("train")
    return standardised(job.preprocess, np.asarray(job.store.pixels[index[:: -(-len(index) // 2000)]]))


def standardised(preprocess: Preprocess, pixels: np.ndarray) -> Preprocess:
    """With the mean and deviation of each channel of these pixels, uint8 (k, h, w, c)."""
    shares = np.asarray(pixels, dtype=np.float32) / 255
    mean, std = shares.mean((0, 1, 2)), shares.std((0, 1, 2))
    return dataclasses.replace(
        preprocess,
        # The borders of "pad" are in the store already, in the colour of the mean it was made with.
        mean=preprocess.mean if preprocess.fit == "pad" else tuple(round(float(m), 4) for m in mean),
        std=tuple(round(max(float(s), 0.01), 4) for s in std),
    )


def _fit_into_minutes(job: Job, plan: Plan, told: dict[str, str]) -> None:
    """Choose the number of passes so that the whole run ends in time, where the user did not choose it."""
    if "epochs" not in told:
        return
    step = plan.measured[f"{plan.layout} {plan.precision}"] * OVERHEAD
    steps = max(1, _count(job, "train") // job.recipe.batch)
    left = job.recipe.minutes * 60 - (time.perf_counter() - job.started) - FINISH_SECONDS
    epochs = max(1, min(int(left / (step * steps)), MOST * job.recipe.epochs))
    job.recipe = job.recipe.replace(epochs=epochs)
    job.reasons["epochs"] = f"as many as {job.recipe.minutes:g} minutes allow at {step * steps:.1f} seconds a pass"
    if left < step * steps:
        job.note(
            f"One pass takes about {step * steps / 60:.1f} minutes, longer than the {job.recipe.minutes:g} allowed."
        )


def _first_net(job: Job) -> Net:
    """The network at the start: fresh, or with the weights that were asked for."""
    recipe, classes = job.recipe, len(job.manifest.classes)
    if job.start is not None:
        net = job.start.net
        with torch.inference_mode():
            width = net.embed(torch.zeros(1, *job.preprocess.shape)).shape[1]
        return job.start.with_head("linear", width, classes)
    if recipe.weights in (None, "none"):
        return zoo.make(recipe.net, job.preprocess.shape, classes)
    try:
        return load_weights(
            recipe.net, recipe.weights, classes=classes, channels=job.preprocess.channels, drop_head=True
        )
    except UnknownName:
        if recipe.net in zoo.variants():
            raise
        raise UsageError(
            f"--weights needs a network of the zoo by name, not {recipe.net!r}; see `svertka nets`."
        ) from None


def _write_recipe(job: Job, plan: Plan, net: Net) -> None:
    job.run.write(
        "recipe.json",
        {
            "svertka": svertka.__version__,
            "command": job.command,
            "data": {"where": job.source.where, "kind": job.source.kind, "files": len(job.source)},
            "recipe": job.recipe.to_dict(),
            "reasons": job.reasons,
            "preprocess": job.preprocess.to_dict(),
            "network": describe(net, job.recipe.net, job.preprocess.shape),
            "plan": plan.to_dict(),
        },
    )
    job.manifest.save(job.run.path / "manifest.json")


def _sentences(job: Job) -> list[str]:
    skipped, notes = job.source.skipped, []
    if skipped:
        notes.append(f"{len(skipped):,} other files were left aside, such as {skipped[0].path}: {skipped[0].reason}.")
    lopsided = balance.sentence(_labels(job, "train"), job.manifest.classes, job.recipe.balance)
    if lopsided is not None:
        notes.append(lopsided)
    if not _count(job, "validation"):
        notes.append(
            "No picture could be set aside for validation: the last epoch is kept, and its accuracy is unknown."
        )
    return notes


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set an event that the loop obeys at its next record; a second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {}

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`tune`: which augmentations help on these pictures, measured one at a time.

Short trainings from scratch, each with several seeds, judged on the validation part. The test part is not touched.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from svertka import data as rooms
from svertka.blocks import Net
from svertka.common.counter_rng import mix
from svertka.common.torchrun import refuse_several
from svertka.data.loading.loader import Loader
from svertka.data.prepare import decode, divide
from svertka.errors import UnknownName, UsageError
from svertka.evaluation.errors.label_invariance import Change, changes
from svertka.evaluation.forward_selection import Selection
from svertka.hardware.autotune import make_plan
from svertka.hardware.malloc import kept_memory
from svertka.hardware.plan import Plan
from svertka.kinds import require
from svertka.kinds.base import Preprocess
from svertka.pipeline.build import AT_ONCE, SAMPLE, check_net, fresh_net
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Where
from svertka.records import Note, TrialDone, Watch, silent
from svertka.training import class_balance, loop
from svertka.training.defaults import from_scratch
from svertka.training.monitoring.estimate import SLACK
from svertka.training.recipe import ALIASES, Recipe

LEAST = 200  # training pictures: with fewer, a trial says nothing
FEWEST_OF_CLASS = 10
PASSES = 8  # at least this many are allowed where fewer pictures are learned from


@dataclass(frozen=True, slots=True)
class Tuned:
    """What `tune` returns.

    settings   what to train with: every field of augmentation that `train` would else choose, and what was kept
    changes    flips and turns that make pictures of one class look like another
    pictures   learned from in each training, of `available` in the training part
    """

    selection: Selection
    settings: dict[str, Any]
    changes: tuple[Change, ...]
    pictures: int
    available: int
    seconds: float

    @property
    def set_line(self) -> str:
        """The settings as options of `svertka train`."""
        return " ".join(f"--set {k}={_shown(v)}" for k, v in self.settings.items())

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        found = self.selection
        return {
            "base": {"accuracy": float(found.base.mean()), "seeds": len(found.base), "n": found.base.shape[1]},
            "trials": [
                {"name": t.name, "value": t.value, **dataclasses.asdict(t.gain), "kept": t.kept, "verdict": t.verdict}
                for t in found.trials
            ],
            "kept": dict(found.kept),
            "untried": list(found.untried),
            "together": dataclasses.asdict(found.together) if found.together else None,
            "settings": self.settings,
            "set": self.set_line,
            "changes_meaning": [dataclasses.asdict(c) for c in self.changes],
            "pictures": self.pictures,
            "available": self.available,
            "seconds": round(self.seconds, 3),
        }


@kept_memory()
def tune(
    data: Where,
    *,
    minutes: float = 10.0,
    seeds: int = 4,
    only: Sequence[str] = (),
    watch: Watch = silent,
    **settings: Any,
) -> Tuned:
    """Try augmentations one at a time on these pictures, and keep those that help beyond noise.

    Args:
        data: what `train` takes.
        minutes: about how long it may take; trainings are shortened to fit, and the last candidates left out.
        seeds: trainings of each kind, 2 or more.
        only: names of the augmentations to try; all where empty.
        watch: called with each `Note`, `FilesDecoded` and `TrialDone`.
        settings: fields of `Recipe` that all trainings share; what is left out is what `train` would choose.

    Raises:
        UsageError: an argument or setting is wrong, or torchrun has started several processes.
        DataError: no usable pictures.
    """
    begun = time.perf_counter()
    refuse_several("`svertka tune`")
    recipe = Recipe.from_dict({**settings, "weights": "none"})
    only = _named(only, recipe)
    if seeds < 2:
        raise UsageError(f"Noise shows only between two trainings or more: seeds must be at least 2; received {seeds}.")
    if not minutes > 0:
        raise UsageError(f"minutes is a time above 0; received {minutes:g}.")
    source = rooms.open_source(data, group_by=recipe.group_by)
    recipe, _, facts, preprocess = first_choices(source, recipe)
    require(preprocess.kind, "tune")
    check_net(recipe, preprocess, len(source.classes))
    store = decode(source, preprocess, watch)
    manifest = divide(source, store, seed=recipe.seed, share=recipe.validation).manifest
    candidates = recipe.augment.candidates(preprocess.channels)
    candidates = {name: strengths for name, strengths in candidates.items() if not only or name in only}
    trainings = seeds * (len(candidates) + 3)
    rest = minutes * 60 - (time.perf_counter() - begun)
    with torch.random.fork_rng():
        bench = _Bench(store, manifest, preprocess, recipe, facts, seconds=rest / trainings)
        if bench.pictures < bench.available:
            watch(Note(_shortened(bench, minutes)))
        chosen = Selection(bench.attempt, seeds, begun + minutes * 60)
        for trial in chosen.run(candidates):
            gain = trial.gain
            watch(TrialDone(trial.setting, gain.value, gain.low, gain.high, trial.verdict, trial.seconds))
        turned = tuple(bench.changes())
    for change in turned:
        watch(Note(change.sentence()))
    return Tuned(
        chosen, _settings(chosen, recipe), turned, bench.pictures, bench.available, time.perf_counter() - begun
    )


def _named(names: Sequence[str], recipe: Recipe) -> list[str]:
    """Names of augmentations as the recipe has them."""
    candidates = recipe.augment.candidates()
    names = [ALIASES.get(name, name) for name in names]
    for name in names:
        if name not in candidates:
            raise UnknownName("augmentation", name, candidates)
    return names


def _settings(chosen: Selection, recipe: Recipe) -> dict[str, Any]:
    """What was kept and stood the test of fresh seeds, and an explicit no to what `train` would add."""
    kept = chosen.kept if chosen.together is None or chosen.together.low > 0 else {}
    off = recipe.augment.off
    return {name: getattr(off, name) for name, facts in off.settings().items() if facts["chosen"]} | kept


def _shortened(bench: _Bench, minutes: float) -> str:
    return (
        f"To try everything within {minutes:g} minutes, each training learns from {bench.pictures:,} of the "
        f"{bench.available:,} pictures; augmentation helps the more the fewer pictures there are, so with all of them "
        "gains will be smaller."
    )


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}"


class _Bench:
    """Trains the same network on the same pictures again and again; only augmentation and seed differ."""

    def __init__(
        self, store: rooms.Store, manifest: rooms.Manifest, preprocess: Preprocess, recipe: Recipe,
        facts: from_scratch.Facts, seconds: float,
    ) -> None:  # fmt: skip
        """`seconds`: how long one training may take; pictures are left out until it fits."""
        self.store, self.manifest = store, manifest
        self.index = self.whole = manifest.indices("train")
        self.available = len(self.whole)
        some = self.whole[:: -(-len(self.whole) // 2000)]
        self.preprocess = preprocess.standardized(np.asarray(store.pixels[some]))
        self.plan = Plan(threads=torch.get_num_threads())
        self.plain: Net | None = None  # trained without augmentation
        share, passes = 1.0, 0
        while True:
            index = self._part(share, recipe.seed)
            filled, _ = from_scratch.choose_rest(recipe, dataclasses.replace(facts, training=len(index)))
            if recipe.epochs is None and filled.epochs is not None:
                passes = passes or max(PASSES, 2 * filled.epochs)  # else fewer pictures would mean ever more passes
                filled = filled.replace(epochs=min(filled.epochs, passes))
            self.recipe = filled.replace(augment=filled.augment.off)
            smallest = len(index) <= max(LEAST, FEWEST_OF_CLASS * facts.classes)
            needed = self._estimated(len(index))
            if needed <= seconds or smallest:  # worth a real training, which tells the truth
                needed = self._measured(index)
            if needed <= seconds or smallest:
                break
            share *= min(0.8, max(0.25, (seconds / needed) ** 0.9))
        self.pictures = len(index)

    def _part(self, share: float, seed: int) -> np.ndarray:
        """That share of each class, drawn once; a smaller share is a part of a larger one."""
        labels, generator = self.manifest.labels[self.whole], np.random.default_rng(mix(seed, 2))
        parts = []
        for label in np.unique(labels).tolist():
            there = generator.permutation(self.whole[labels == label])
            parts.append(there[: max(round(share * len(there)), FEWEST_OF_CLASS)])
        return np.sort(np.concatenate(parts))

    def _measured(self, index: np.ndarray) -> float:
        """Seconds that one training on these pictures takes."""
        begun, self.index = time.perf_counter(), index
        self.attempt({}, 0)
        return time.perf_counter() - begun

    def _estimated(self, n: int) -> float:
        """Seconds that one training on `n` pictures should take, from the plan's steps."""
        batch = min(self.recipe.batch_size or 1, n)
        shape = (batch, *self.preprocess.shape)
        torch.manual_seed(self.recipe.seed)
        self.plan = make_plan(self._net(), shape, len(self.manifest.classes))
        return self.plan.step * SLACK * max(1, n // batch) * (self.recipe.epochs or 1)

    def _net(self) -> Net:
        pixels = self.store.pixels[self.whole[:: -(-len(self.whole) // SAMPLE)]]
        return fresh_net(self.recipe.net or "", self.preprocess, len(self.manifest.classes), np.asarray(pixels))

    def attempt(self, settings: dict[str, Any], seed: int) -> np.ndarray:
        """Train with these augmentations; which validation pictures are right: bool (n,)."""
        recipe = self.recipe.replace(**settings, seed=mix(self.recipe.seed, seed) >> 32)
        torch.manual_seed(recipe.seed)
        state = loop.begin(self._net(), recipe, self.plan)
        class_balance.weigh(state, recipe, self.manifest.labels[self.index], len(self.manifest.classes))
        train = self._loader(self.index, recipe, training=True)
        for _ in loop.fit(state, train, None, recipe, self.plan):
            pass
        logits, labels = loop.collect(state.measured_net, self._validation())
        if not settings:
            self.plain = state.measured_net
        right: np.ndarray = (logits.argmax(1) == labels).cpu().numpy()
        return right

    def changes(self) -> list[Change]:
        """What flips and turns make of the validation pictures, in the eyes of a network that never saw any."""
        if self.plain is None:
            return []
        net = self.plain.eval()
        index = self.manifest.indices("validation")

        def predict(pixels: np.ndarray) -> np.ndarray:
            x = self.preprocess.normalize(pixels).to(self.plan.device)
            with torch.inference_mode():
                predicted: np.ndarray = net(x).argmax(1).cpu().numpy()
            return predicted

        return changes(predict, self.store.pixels, index, self.manifest.labels, self.manifest.classes)

    def _validation(self) -> Loader:
        return self._loader(self.manifest.indices("validation"), self.recipe)

    def _loader(self, index: np.ndarray, recipe: Recipe, *, training: bool = False) -> Loader:
        batch = recipe.batch_size or 1
        return Loader(
            self.store.pixels, self.manifest.labels, index, self.preprocess,
            batch=batch if training else max(batch, AT_ONCE),
            seed=recipe.seed if training else None, augment=recipe.augment if training else None, even=training,
            balanced=training and recipe.balance == "sample",
            classes=len(self.manifest.classes), device=self.plan.device,
        )  # fmt: skip

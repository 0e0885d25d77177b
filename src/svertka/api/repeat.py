"""`train --repeat` and `--folds`: the same recipe several times, because one accuracy is one draw.

`--repeat N` trains with N seeds on one split, so the spread is what the seed alone does. `--folds K` deals all pictures
but the test part to K folds; each run is judged by one fold and learns from the others, so every picture judges once.
Each run is a normal run folder inside the parent:

    1/ 2/ ...         run folders
    repeats.json      {"kind", "runs", "validation", "test", "sentence"}: evaluation/repeats.py
    folds/K.json      the manifests that the runs were split by
    predictions.npz   of folds: index (n,) into any run's manifest, probability (n, classes), fold (n,); out of fold
    failing.json      of folds: where it fails, suspected labels of all pictures among them
    report.html       all runs beside each other
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import convert

from svertka import data as rooms
from svertka.analysis.error_analysis import failures
from svertka.api.train import train
from svertka.common.atomic_write import write_npz
from svertka.common.torchrun import refuse_several
from svertka.data.prepare import decode
from svertka.data.splitting.holdout import joined
from svertka.data.splitting.k_fold import folds as deal
from svertka.errors import TrainingError, UsageError
from svertka.evaluation.repeats import Repeats, of_folds, of_seeds
from svertka.pipeline.choose_preprocess import first_choices
from svertka.pipeline.context import Trained
from svertka.records import Note, Watch, silent
from svertka.reporting.pages.repeat import write_page
from svertka.runs import layout
from svertka.runs.files import read_recipe
from svertka.runs.predictions import PARTS, Predictions, read_predictions
from svertka.runs.records import RepeatsFile
from svertka.runs.reopen import open_pictures, prepared
from svertka.runs.run_folder import Run
from svertka.training.recipe import Recipe

MOST = 1000


@dataclass(frozen=True, slots=True)
class Repeated:
    """What `repeat` returns: the parent folder, the runs in it, and the object that `--json` prints.

    stopped is true where a run was interrupted; the summary is of those that were finished before.
    """

    path: Path
    runs: tuple[Trained, ...]
    summary: dict[str, Any]
    stopped: bool = False


def repeat(
    data: Any,
    times: int | None = None,
    *,
    folds: int | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    manifest: str | Path | None = None,
    plan: str | Mapping[str, Any] | None = None,
    tensorboard: bool = False,
    watch: Watch = silent,
    **settings: Any,
) -> Repeated:
    """Train the same recipe several times: with `times` seeds on one split, or on `folds` folds.

    Args:
        data, out, manifest, plan, tensorboard, watch, settings: as `train` takes them; `out` is the parent folder.
        times: trainings with the seeds `seed`, `seed` + 1, ...
        folds: instead, trainings each judged by a fold of its own, all with the same seed.
        seed: 0 where None.

    Raises:
        UsageError: neither or both of times and folds, or fewer than two; or torchrun has started several processes.
        SvertkaError: what `train` raises.
    """
    if (times is None) == (folds is None):
        raise UsageError("Repeating takes either a number of seeds (--repeat) or a number of folds (--folds).")
    number = times if times is not None else folds
    if number is None or not 2 <= number <= MOST:
        raise UsageError(f"--repeat and --folds take 2 to {MOST:,}; received {number}.")
    if folds is not None and manifest is not None:
        raise UsageError("--folds makes splits of its own; it does not take --manifest.")
    refuse_several("--repeat" if folds is None else "--folds")
    begun, first = time.perf_counter(), seed or 0
    source = rooms.open_source(data, group_by=settings.get("group_by"))
    parent, done = Run.create(out, source.name), list[Trained]()
    how: dict[str, Any] = {"plan": plan, "tensorboard": tensorboard, "watch": watch, **settings}
    try:
        manifests = [] if folds is None else _deal(source, folds, first, settings, parent, watch)
        for k in range(number):
            watch(Note(f"Training {k + 1} of {number}."))
            split = manifests[k] if manifests else manifest if manifest is not None or not done else done[0].path
            made = train(
                data, out=parent.path / str(k + 1), seed=first if manifests else first + k, manifest=split,
                started=time.perf_counter(), **how,
            )  # fmt: skip
            if made.stopped:
                break
            done.append(made)
    except BaseException:
        parent.discard()  # where nothing is in it yet
        raise
    if not done:
        raise TrainingError(f"The first of {number} trainings was interrupted; it is in {parent.path / '1'}.")
    summary = _summarize(parent, done, source, folds is not None, time.perf_counter() - begun)
    return Repeated(parent.path, tuple(done), summary, len(done) < number)


def _deal(source: rooms.Source, k: int, seed: int, settings: dict[str, Any], parent: Run, watch: Watch) -> list[Path]:
    """One manifest for each fold, in the parent folder."""
    recipe = Recipe.from_dict({n: v for n, v in {**settings, "seed": seed}.items() if v is not None})
    preprocess = first_choices(source, recipe)[3]
    store = decode(source, preprocess, watch)
    whole = rooms.make_manifest(source, store, seed=seed, group_by=recipe.group_by)
    group, identity = rooms.find_copies(store, source.labels).group, store.digests
    if source.groups is not None:
        group, identity = joined(group, source.groups.codes), source.groups.digests(source.paths)
    pool = np.sort(np.concatenate([whole.indices("train"), whole.indices("validation")]))
    fold = deal(source.labels[pool], identity[pool], k, seed, group[pool])
    places = []
    for number in range(k):
        parts = whole.parts.copy()
        parts[pool] = np.where(fold == number, 2, 1)
        place = parent.path / layout.FOLDS / f"{number + 1}.json"
        place.parent.mkdir(exist_ok=True)
        dataclasses.replace(whole, parts=parts).save(place)
        places.append(place)
    return places


def _summarize(parent: Run, done: list[Trained], source: rooms.Source, folded: bool, seconds: float) -> dict[str, Any]:
    answers = [read_predictions(run.path) for run in done]
    right = {part: [a[part].guess == a[part].labels for a in answers if part in a] for part in PARTS}
    if folded:
        judged = of_folds(right["validation"], [len(a["validation"].manifest.indices("train")) for a in answers])
        _write_out_of_fold(parent, [a["validation"] for a in answers], source)
    else:
        judged = of_seeds(np.stack(right["validation"]))
    tested = of_seeds(np.stack(right["test"])) if len(right["test"]) == len(done) else None
    kind = "folds" if folded else "seeds"
    summary = {
        "run": str(parent.path),
        "kind": kind,
        "validation": judged.to_dict(),
        "test": tested.to_dict() if isinstance(tested, Repeats) else None,
        "sentence": judged.sentence(kind),
        "runs": [run.summary for run in done],
        "seconds": round(seconds, 3),
    }
    parent.write(layout.REPEATS, summary)
    write_page(parent.path, convert(summary, RepeatsFile))
    return summary


def _write_out_of_fold(parent: Run, answers: list[Predictions], source: rooms.Source) -> None:
    """What each picture was called by the run that had not seen it."""
    index = np.concatenate([a.index for a in answers])
    order = np.argsort(index, kind="stable")
    shares = np.concatenate([a.probability for a in answers])[order]
    fold = np.repeat(np.arange(1, len(answers) + 1), [len(a.index) for a in answers])[order]
    write_npz(parent.path / layout.PREDICTIONS, {"index": index[order], "probability": shares, "fold": fold})
    first, files = parent.path / "1", answers[0].manifest
    store = open_pictures(first, source, prepared(first, read_recipe(first)), files)
    found = failures(shares, index[order], files.labels, files.classes, files.paths, store, groups=source.groups)
    parent.write(layout.FAILING, {"part": "out of fold", **found})

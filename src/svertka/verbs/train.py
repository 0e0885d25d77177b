"""`train`: source -> store -> manifest -> network -> loop -> run folder -> report.

The order of the first lines is for speed: worker processes decode while torch is imported here.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from svertka import data as rooms
from svertka.errors import DataError, RunError
from svertka.signals import Preprocess
from svertka.training import auto
from svertka.training.recipe import Recipe
from svertka.training.run import Run
from svertka.verbs.job import Job, Trained, Watch, silent


def train(
    data: str | Path,
    *,
    out: str | Path | None = None,
    net: str | None = None,
    size: int | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    watch: Watch = silent,
    started: float | None = None,
    command: str | None = None,
    **settings: Any,
) -> Trained:
    """Turn labelled pictures into a classifier in a run folder.

    Args:
        data: a folder, an archive or a built-in name.
        out: the run folder, new or empty; runs/NAME-N where None.
        net, size, epochs, minutes, seed, settings: fields of `Recipe`; what is left out is chosen from the data.
        watch: called with (what, value) as the work goes on: "note", "read", "plan", "step", "epoch".
        started: time.perf_counter() when the process started, so that totals count from there.
        command: what the report gives as the way to do it again.

    Raises:
        DataError, UsageError, TrainingError: see svertka.errors; the message is for the user.
    """
    started = time.perf_counter() if started is None else started
    asked = {"net": net, "size": size, "epochs": epochs, "minutes": minutes, "seed": seed, **settings}
    recipe = Recipe.from_dict({k: v for k, v in asked.items() if v is not None})
    source = rooms.open_source(data)
    recipe, reasons, facts, preprocess = first_choices(source, recipe)
    run = None
    reading = rooms.begin_store(source, preprocess)  # decodes from here on, beside the imports below
    try:
        from svertka.verbs import learning

        learning.check_net(recipe, preprocess, len(source.classes))
        run = Run.create(out, source.name)
        learning.warm_up()
        store = reading.finish(lambda done, total: watch("read", (done, total)))
        manifest = rooms.make_manifest(source, store, seed=recipe.seed, share=recipe.validation)
    except BaseException:
        reading.cancel()
        if run is not None:
            run.discard()
        raise
    job = Job(
        run, source, store, manifest, preprocess, recipe, reasons, watch, started, command or f"svertka train {data}"
    )
    job.read_seconds = time.perf_counter() - started
    return learning.learn(job, facts)


def first_choices(source: rooms.Source, recipe: Recipe) -> tuple[Recipe, dict[str, str], auto.Facts, Preprocess]:
    """What must be known before pictures are decoded: the recipe so far, the reasons, the facts, the preprocessing."""
    survey = rooms.survey(source)
    facts = auto.Facts(_training_count(source), len(source.classes), survey.side, survey.aspect, survey.colour)
    recipe, reasons = auto.choose_size(recipe, facts)
    return recipe, reasons, facts, Preprocess(recipe.size, recipe.size, 3 if survey.colour else 1, recipe.fit)


def resume(run: str | Path, *, watch: Watch = silent, started: float | None = None) -> Trained:
    """Go on where a run stopped, with the same data and recipe, to the same weights.

    Raises:
        RunError: no run there, it is finished, or it has no checkpoint.
        DataError: its data have changed since.
    """
    started = time.perf_counter() if started is None else started
    folder = Run.open(run)
    told = folder.read("recipe.json")
    if (folder.path / "metrics.json").is_file() and not folder.read("metrics.json").get("stopped"):
        raise RunError(f"{folder.path} is finished: there is nothing to resume.")
    try:
        recipe, preprocess = Recipe.from_dict(told["recipe"]), Preprocess.from_dict(told["preprocess"])
        where, command = told["data"]["where"], told["command"]
    except (KeyError, TypeError) as why:
        raise RunError(f"{folder.path / 'recipe.json'} is damaged: {why!r}.") from why
    source = rooms.open_source(where)
    reading = rooms.begin_store(source, preprocess)
    from svertka.verbs import learning

    store = reading.finish(lambda done, total: watch("read", (done, total)))
    manifest = rooms.Manifest.load(folder.path / "manifest.json")
    if not manifest.matches(store):
        raise DataError(f"{where} has changed since {folder.path} was begun: resuming would learn from other pictures.")
    job = Job(folder, source, store, manifest, preprocess, recipe, told["reasons"], watch, started, command)
    job.read_seconds = time.perf_counter() - started
    return learning.go_on(job, told)


def _training_count(source: rooms.Source) -> int:
    told = int((source.parts == 1).sum())
    return told or int((source.parts == 0).sum()) or len(source)

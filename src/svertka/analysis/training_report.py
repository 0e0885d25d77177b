"""What a report shows of the network itself: looked at as far as time allows, and kept in the run folder.

`train` looks as far as LOOKING of its own time allows, and keeps what it saw (explanations.npz, network.json); `report`
looks up what is missing there. `--full` also opens the data again, and asks how far pictures may change and what
simpler answers reach (analysis/full_report.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import convert

from svertka.analysis import tsne
from svertka.common.atomic_write import write_bytes, write_npz
from svertka.errors import DataError, ReadError, RunError, ShapeError, WeightsError
from svertka.records import encoded
from svertka.reporting import write_report
from svertka.reporting.i18n.translate import say
from svertka.runs import layout
from svertka.runs.records import Baselines, Layers, Robustness
from svertka.runs.results import Results, read_results

if TYPE_CHECKING:
    from svertka.models import Model

LOOKING = 0.025  # share of the time of a training that its report may take to look at the network
MOST = 25.0  # seconds, for the same


def report_training(run: Path, model: Model, seconds: float) -> Path:
    """The report at the end of a training that took so long, with the network still at hand."""
    found, most = read_results(run), min(MOST, LOOKING * seconds)
    return write_report(_looked(laid_out(found, seconds=most), model, seconds=most, full=False))


def laid_out(run: Results, *, seconds: float) -> Results:
    """The run with neighbors near on its map, kept in its folder, where laying it out so takes no more seconds."""
    if "axes" not in run.map or "near" in run.map or tsne.seconds(len(run.map["axes"])) > seconds:
        return run
    found = {**run.map, "near": tsne.laid_out(run.map["axes"])}
    _keep(run.path, {layout.MAP: found})
    return dataclasses.replace(run, map=found)


def with_looks(run: Results, *, seconds: float, full: bool, progress: Callable[[str], None]) -> Results:
    """The run with what its network looks at; with a sentence instead where the network cannot be opened."""
    from svertka.models import Model

    try:
        model = Model.load(run.path)
    except (RunError, WeightsError) as why:
        caution = say("The network cannot be opened, so what it looks at is not shown: {why}", why=str(why))
        return dataclasses.replace(run, cautions=(*run.cautions, caution))
    return _looked(run, model, seconds=seconds, full=full, progress=progress)


def lacks_looks(run: Results) -> bool:
    """Whether nothing was looked at, or the end of a training left less time for it than there is now."""
    album = run.explanations
    return not album or (len(album.get("left_out", ())) > 0 and float(album.get("allowed", MOST)) < MOST)


def lacks_probes(run: Results) -> bool:
    """Whether something that a full report measures was not, or not wholly."""
    return run.robustness is None or run.baselines is None or bool(run.robustness.left_out)


def probed(run: Results, seconds: float) -> Results:
    """The run with what `probe` measures on its data; where these are gone, with a sentence instead."""
    from svertka.analysis.full_report import probe
    from svertka.models import Model

    try:
        found = probe(run.path, Model.load(run.path), run.hashes.get(layout.FINGERPRINTED[-1], ""), seconds=seconds)
    except WeightsError:
        return run  # told already, where the network was to be looked at
    except (DataError, ReadError, RunError) as why:
        caution = say(
            "The pictures of this run cannot be opened again, so how far they may change and what simpler answers "
            "reach is not shown: {why}",
            why=str(why),
        )
        return dataclasses.replace(run, cautions=(*run.cautions, caution))
    _keep(run.path, {f"{name}.json": content for name, content in found.items()})
    return dataclasses.replace(
        run,
        robustness=convert(found["robustness"], Robustness),
        baselines=convert(found["baselines"], Baselines),
    )


def _looked(
    run: Results, model: Model, *, seconds: float, full: bool, progress: Callable[[str], None] = lambda _: None
) -> Results:
    """The run with the layer table and the album of its network, which are kept in its folder where that can be."""
    from svertka.explanation.report_album import album
    from svertka.summary import table

    try:
        layers = table(model.net, model.preprocess.shape, numbers=True).to_dict()
    except ShapeError:  # a network that cannot be followed without its numbers has no table
        layers = None
    found: dict[str, np.ndarray] = {}
    examples, sample = run.examples, run.sample()
    if (
        examples is not None
        and sample is not None
        and model.preprocess.kind == "image"
        and examples.pixels.shape[1:] == model.preprocess.stored
    ):
        _, rows = run.mistakes()
        scored = run.shown
        mistakes = [] if scored is None else [run.place_of(int(scored.index[row])) for row in rows]
        wrong = [m for m in mistakes if m is not None]
        found = album(model, examples.pixels, wrong, sample, seconds=seconds, full=full, progress=progress)
    _keep(run.path, {layout.NETWORK: layers, layout.EXPLANATIONS: found})
    table_rows = None if layers is None else convert(layers, Layers)
    return dataclasses.replace(run, layers=table_rows, explanations=found)


def _keep(folder: Path, files: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Into the run folder, each whole or not at all; one that may not be written to stays as it is."""
    for name, content in files.items():
        if not content:
            continue
        with contextlib.suppress(OSError):
            if name.endswith(".npz"):
                write_npz(folder / name, content)
            else:
                write_bytes(folder / name, encoded(json.dumps(content, ensure_ascii=False)))

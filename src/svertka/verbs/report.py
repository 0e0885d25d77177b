"""`report`: the page of a run, made again from its folder.

What the network looks at needs the network itself. `train` looks as far as LOOKING of its own time allows, and keeps
what it saw in the run folder (explanations.npz, network.json); `report` looks up what is missing there. `--full` also
opens the data again, and asks how far pictures may change and what simpler answers reach (verbs/probing.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svertka.budget import Budget
from svertka.errors import DataError, ReadError, RunError, ShapeError, UsageError, WeightsError
from svertka.records import encoded
from svertka.reporting import write_report
from svertka.reporting.folder import ALBUM, LAYERS, MAP, PROBES, REPEATS, WEIGHTS, RunFolder, optional, read_run
from svertka.reporting.repeating import write_page as write_repeats
from svertka.reporting.speech import say, speaking
from svertka.verbs import layout

if TYPE_CHECKING:
    from svertka.bundle import Model

LOOKING = 0.025  # share of the time of a training that its report may take to look at the network
MOST = 25.0  # seconds, for the same
FULL = 2.0  # minutes that `--full` may take
INSIDE, DRAWN = 0.5, 0.95  # shares of what is left for looking at the network, and then for its pictures


def report(
    run: str | Path, *, out: str | Path | None = None, lang: str = "en", full: bool = False, minutes: float = FULL,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:  # fmt: skip
    """Write report.html of a run folder (or `out`) in English ("en") or Russian ("ru"), and return its path.

    Args:
        run: the folder, also one of repeated trainings.
        out: a file, or a folder for a report.html.
        lang: the language of the page.
        full: look longer: slow explanations, whether the explanations are true, changed pictures, baselines.
        minutes: that a full report may take; what does not fit is left out, and the page says what.
        progress: told what is looked at next, in a few words.

    Raises:
        RunError: the folder is not a run, or a file of it is damaged.
        UnknownName: there is no such language.
        UsageError: the minutes are not above zero.
    """
    if not minutes > 0:
        raise UsageError(f"A full report takes more than 0 minutes; received {minutes:g}.")
    budget = Budget(60 * minutes if full else MOST)
    with speaking(lang):
        if (repeats := optional(Path(run) / REPEATS)) is not None:
            return _of_repeats(Path(run), repeats, Path(out) if out is not None else None, full=full)
        found = read_run(Path(run))
        if full or found.layers is None or _lacks_looks(found):
            looking = budget.part(INSIDE).left() if full else MOST
            found = _with_looks(found, seconds=looking, full=full, progress=progress)
        found = _laid_out(found, seconds=MOST)
        if full and _lacks_probes(found):
            progress("how far pictures may change, and what simpler answers reach")
            found = _probed(found, DRAWN * budget.left())
    return write_report(found, Path(out) if out is not None else None, lang)


def report_training(run: Path, model: Model, seconds: float) -> Path:
    """The report at the end of a training that took so long, with the network still at hand."""
    found, most = read_run(run), min(MOST, LOOKING * seconds)
    return write_report(_looked(_laid_out(found, seconds=most), model, seconds=most, full=False))


def _laid_out(run: RunFolder, *, seconds: float) -> RunFolder:
    """The run with neighbours near on its map, kept in its folder, where laying it out so takes no more seconds."""
    if "axes" not in run.map or "near" in run.map or layout.seconds(len(run.map["axes"])) > seconds:
        return run
    found = {**run.map, "near": layout.laid_out(run.map["axes"])}
    _keep(run.path, {MAP: found})
    return dataclasses.replace(run, map=found)


def _of_repeats(parent: Path, found: Mapping[str, Any], out: Path | None, *, full: bool) -> Path:
    if full:
        raise UsageError(f"{parent} holds repeated trainings: a full report is that of one of them.")
    try:
        return write_repeats(parent, found, out)
    except (KeyError, TypeError, AttributeError) as why:
        raise RunError(f"{parent / REPEATS} is damaged: {why!r}.") from why


def _with_looks(run: RunFolder, *, seconds: float, full: bool, progress: Callable[[str], None]) -> RunFolder:
    from svertka.bundle import Model

    try:
        model = Model.load(run.path)
    except (RunError, WeightsError) as why:
        told = say("The network cannot be opened, so what it looks at is not shown: {why}", why=str(why))
        return dataclasses.replace(run, cautions=(*run.cautions, told))
    return _looked(run, model, seconds=seconds, full=full, progress=progress)


def _lacks_looks(run: RunFolder) -> bool:
    """Whether nothing was looked at, or the end of a training left less time for it than there is now."""
    album = run.album
    return not album or (len(album.get("left_out", ())) > 0 and float(album.get("allowed", MOST)) < MOST)


def _lacks_probes(run: RunFolder) -> bool:
    return len(run.probes) < len(PROBES) or bool(run.probes["robustness"].get("left_out"))


def _probed(run: RunFolder, seconds: float) -> RunFolder:
    """The run with what `probe` measures on its data; where these are gone, with a sentence instead."""
    from svertka.bundle import Model
    from svertka.verbs.probing import probe

    try:
        found = probe(run.path, Model.load(run.path), run.hashes.get(WEIGHTS, ""), seconds=seconds)
    except WeightsError:
        return run  # told already, where the network was to be looked at
    except (DataError, ReadError, RunError) as why:
        told = say(
            "The pictures of this run cannot be opened again, so how far they may change and what simpler answers "
            "reach is not shown: {why}",
            why=str(why),
        )
        return dataclasses.replace(run, cautions=(*run.cautions, told))
    _keep(run.path, {f"{name}.json": probed for name, probed in found.items()})
    return dataclasses.replace(run, probes=found)


def _looked(
    run: RunFolder, model: Model, *, seconds: float, full: bool, progress: Callable[[str], None] = lambda _: None
) -> RunFolder:
    """The run with the layer table and the album of its network, which are kept in its folder where that can be."""
    from svertka.explanation.album import album
    from svertka.tabulate import table

    try:
        layers = table(model.net, model.preprocess.shape, numbers=True).to_dict()
    except ShapeError:  # a network that cannot be followed without its numbers has no table
        layers = None
    found: dict[str, np.ndarray] = {}
    examples, sample = run.examples, run.sample()
    if examples is not None and sample is not None and examples.pixels.shape[1:] == _shape(model):
        _, rows = run.mistakes()
        scored = run.looked_at
        mistakes = [] if scored is None else [run.place_of(int(scored.index[row])) for row in rows]
        wrong = [m for m in mistakes if m is not None]
        found = album(model, examples.pixels, wrong, sample, seconds=seconds, full=full, progress=progress)
    _keep(run.path, {LAYERS: layers, ALBUM: found})
    return dataclasses.replace(run, layers=layers, album=found)


def _shape(model: Model) -> tuple[int, int, int]:
    return model.preprocess.height, model.preprocess.width, model.preprocess.channels


def _keep(folder: Path, files: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Into the run folder, each whole or not at all; one that may not be written to stays as it is."""
    for name, content in files.items():
        if not content:
            continue
        aside = folder / f".{name}.part"
        try:
            with aside.open("wb") as file:
                if name.endswith(".npz"):
                    np.savez(file, **content)
                else:
                    file.write(encoded(json.dumps(content, ensure_ascii=False)))
            aside.replace(folder / name)
        except OSError:
            aside.unlink(missing_ok=True)

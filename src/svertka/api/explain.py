"""`explain`: where a model looked when it named the class of a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka.analysis.nearest_training_samples import Neighbor, Neighbors
from svertka.api.predict import open_model
from svertka.data.folders.folder_listing import MARK
from svertka.data.samples import Sample, open_samples
from svertka.errors import ReadError, SvertkaError, UnknownName, UsageError
from svertka.explanation import METHODS, Heat, deletion, heats, insertion, method, randomization
from svertka.kinds import require
from svertka.models import Model
from svertka.records import ExplanationsMade, Unreadable, Watch, silent
from svertka.reporting.charts import raster

BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A picture, and why it has its class.

    path    of the picture
    label   the class that is explained
    heats   one for each method asked for, in that order
    rival   with `rival`: the strongest other class, and its heats
    near    with `near`: the training pictures that look most alike to the network
    checks  with `check`: for each method {"deletion", "insertion", "similarity", "blind"} (see explanation.truth)
    drawn   the file that shows it; None where nothing was to be written
    """

    path: str
    label: str
    heats: tuple[Heat, ...]
    rival: tuple[str, tuple[Heat, ...]] | None = None
    checks: tuple[dict[str, Any], ...] = ()
    near: tuple[Neighbor, ...] = ()
    drawn: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints for this picture."""
        payload: dict[str, Any] = {
            "path": self.path,
            "class": self.label,
            "drawn": str(self.drawn) if self.drawn else None,
        }
        rows = [{"method": h.method, "layer": h.layer, "score": h.score} for h in self.heats]
        if self.checks:
            rows = [row | check for row, check in zip(rows, self.checks, strict=True)]
        payload["heats"] = rows
        if self.rival:
            payload["rival"] = {"class": self.rival[0], "score": self.rival[1][0].score}
        if self.near:
            payload["near"] = [{"path": n.path, "class": n.label, "similarity": n.similarity} for n in self.near]
        return payload


def explain(
    model: str | Path | Model, files: Any, *,
    method: str | Sequence[str] = "grad-cam", layer: str | None = None, target: str | int | None = None,
    out: str | Path | None = None, rival: bool = False, check: bool = False, near: int = 0,
    samples: int | None = None, seed: int = 0, weights: str | Path | None = None, watch: Watch = silent,
) -> list[Explained | Unreadable]:  # fmt: skip
    """Where a model looked, for one picture or many, in order.

    Args:
        model: a run folder, its model/, a network of the zoo with published weights, or a loaded `Model`.
        files: one picture or many, in any form that `predict` takes.
        method: one or several of `svertka.explanation.METHODS`; "all" for all.
        layer: for methods that watch a layer, its name; the last stage that has places where None.
        target: the class to explain, by name (or index); the most likely where None.
        out: a folder for a PNG a picture; nothing is written where None, and nothing overwritten.
        rival: show the strongest other class beside.
        check: test each explanation as well (deletion, insertion, shuffled weights); takes many passes.
        near: show so many training pictures that look most alike to the network; needs the run folder and its data.
        samples: masks, noisy copies, steps or channels, where a method counts any.
        seed: of random masks and noise.
        weights: with a network of the zoo, the file to take instead of the published one.
        watch: called with `ExplanationsMade`, where each heat and each test of one counts.

    Raises:
        UnknownName: no such method, layer or class.
        RunError: there is no usable model.
        DataError: a folder without pictures.
    """
    methods = _methods(method)
    where, model = model, open_model(model, weights)
    require(model.preprocess.kind, "explain")
    wanted = _target(model, target)
    training = _neighbors(model, where, near)
    ask = {"layer": layer, "samples": samples, "seed": seed}
    answers: list[Explained | Unreadable] = []
    pictures = list(open_samples(files, model.preprocess))
    each = len(methods) * (1 + (rival and len(model.classes) > 1) + check)
    step = _counting(watch, len(pictures) * each)
    for first in range(0, len(pictures), BATCH):
        group = pictures[first : first + BATCH]
        read = [_read(model, sample) for sample in group]
        good = [row for row in read if not isinstance(row, Unreadable)]
        found = _explain(model, good, methods, ask, wanted, step, rival=rival, check=check)
        for row in read:
            if isinstance(row, Unreadable):
                answers.append(row)
                step(each)
                continue
            answer = next(found)
            if training is not None:
                x = model.preprocess.normalize(row.pixels[None])
                answer = dataclasses.replace(answer, near=training.of(x, near)[0])
            answers.append(answer if out is None else _drawn(answer, row, model, Path(out)))
    return answers


def _counting(watch: Watch, total: int) -> Callable[[int], None]:
    """What is called with the number of heats and tests made since, and tells the watch of all so far."""
    done = 0

    def step(made: int) -> None:
        nonlocal done
        done += made
        watch(ExplanationsMade(done, total))

    return step


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    path: str
    full: np.ndarray  # as a person sees it, at the size of a panel: uint8 (h, w, 3)
    pixels: np.ndarray  # as the network does: uint8 (height, width, channels)


def _explain(
    model: Model, pictures: Sequence[_Picture], methods: list[str], ask: dict[str, Any], wanted: int | None,
    step: Callable[[int], None], *, rival: bool, check: bool,
) -> Iterator[Explained]:  # fmt: skip
    if not pictures:
        return
    pixels = np.stack([p.pixels for p in pictures])
    shares = model.probabilities(pixels)  # (n, classes)
    top = shares.argmax(1) if wanted is None else torch.full((len(pictures),), wanted)
    others = shares.scatter(1, top[:, None], -1).argmax(1)  # the strongest class that is not explained
    x = model.preprocess.normalize(pixels)
    own = _heats(model, x, methods, top, shares, ask, step)
    against = _heats(model, x, methods, others, shares, ask, step) if rival and len(model.classes) > 1 else None
    for number, picture in enumerate(pictures):
        beside = (model.classes[int(others[number])], against[number]) if against else None
        checks = []
        for heat in own[number] if check else ():
            checks.append(_check(model, x[number : number + 1], heat, ask))
            step(1)
        yield Explained(picture.path, model.classes[int(top[number])], own[number], beside, tuple(checks))


def _heats(
    model: Model, x: torch.Tensor, methods: list[str], target: torch.Tensor, shares: torch.Tensor, ask: dict[str, Any],
    step: Callable[[int], None],
) -> list[tuple[Heat, ...]]:  # fmt: skip
    """For each picture its heats, with the probability that `predict` would tell."""
    told = shares.gather(1, target[:, None])[:, 0].tolist()
    by_method = []
    for name in methods:
        by_method.append(heats(model.net, x, name, target=target, batch=BATCH, **ask))
        step(len(x))
    return [
        tuple(dataclasses.replace(h, score=score) for h in row)
        for row, score in zip(zip(*by_method, strict=True), told, strict=True)
    ]


def _check(model: Model, x: torch.Tensor, heat: Heat, ask: dict[str, Any]) -> dict[str, Any]:
    shuffled = randomization(model.net, x, heat.method, own=[heat], **ask)
    return {
        "deletion": deletion(model.net, x, heat).area,
        "insertion": insertion(model.net, x, heat).area,
        "similarity": shuffled.similarity,
        "blind": shuffled.blind,
    }


def _drawn(found: Explained, picture: _Picture, model: Model, out: Path) -> Explained:
    """Write the PNG: the picture, and beside it each heat; a line of its own for the strongest other class."""
    rows = [(found.label, found.heats, found.checks)]
    if found.rival:
        rows.append((*found.rival, ()))
    panels: list[raster.Panel] = []
    for label, row, checks in rows:
        panels.append(raster.Panel(picture.full, label, f"{row[0].score:.1%}"))
        for number, heat in enumerate(row):
            over = raster.overlay(picture.full, heat.values, model.preprocess)
            below = f"layer {heat.layer}" if heat.layer != "input" else "pixels"
            if checks and checks[number]["blind"]:
                below = "hardly depends on the weights"
            panels.append(raster.Panel(over, heat.method, below))
    panels += [raster.Panel(raster.shown(n.pixels), n.label, f"alike {n.similarity:.2f}") for n in found.near]
    width = 1 + len(found.heats)
    page = raster.sheet(panels, columns=width if 2 < width < 7 else min(4, len(panels)), scale=True)
    return dataclasses.replace(found, drawn=_save(page, out, Path(picture.path).stem or "picture"))


def _save(page: Any, out: Path, stem: str) -> Path:
    try:
        if not out.exists():
            out.mkdir(parents=True)
            (out / MARK).touch()
        for number in range(1, 1_000_000):
            path = out / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
            try:
                with path.open("xb") as file:
                    page.save(file, "PNG")
                return path
            except FileExistsError:
                continue
    except OSError as why:
        raise SvertkaError(
            f"{out} cannot be written: {(why.strerror or str(why)).lower()}; name another with --out."
        ) from why
    raise UsageError(f"{out} holds a million pictures called {stem}; name another folder with --out.")


def _neighbors(model: Model, where: str | Path | Model, near: int) -> Neighbors | None:
    if near < 1:
        return None
    if isinstance(where, Model):
        raise UsageError("near needs a run folder: a loaded model does not know what it learned from.")
    return Neighbors(model, where)


def _methods(asked: str | Sequence[str]) -> list[str]:
    names = [asked] if isinstance(asked, str) else list(asked)
    names = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not names:
        raise UsageError(f"Name a method: {', '.join(METHODS)}.")
    return list(METHODS) if names == ["all"] else [method(name).name for name in dict.fromkeys(names)]


def _target(model: Model, target: str | int | None) -> int | None:
    if target is None:
        return None
    if isinstance(target, int) and 0 <= target < len(model.classes):
        return target
    if str(target) not in model.classes:
        raise UnknownName("class", str(target), model.classes)
    return model.classes.index(str(target))


def _read(model: Model, sample: Sample) -> _Picture | Unreadable:
    try:
        full = sample.shown((raster.SIDE, raster.SIDE))
        return _Picture(sample.name, raster.shown(full), sample.stored(model.preprocess))
    except ReadError as why:
        return Unreadable(sample.name, why.reason)

"""Published weights: what can be had, where it lies, and how it gets into one of our networks.

A file is looked for where it was named, then in the cache's `weights` folder, then in the folder that
SVERTKA_WEIGHTS names and in `weights` of the one that SVERTKA_DATA names. Only a published file that is in
none of them is fetched. Whose names the tensors have is found out: it is the rename table of the network
under which most of them fit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from svertka.blocks import Net
from svertka.cache.download import LARGEST, Goal, Opener, Progress, fetch_file
from svertka.cache.folders import cache_folder
from svertka.errors import UnknownName, WeightsError
from svertka.zoo.factory import empty_net, fresh_net, variant, variants
from svertka.zoo.registry import Renames
from svertka.zoo.weights.read_tensors import SUFFIXES, read_tensors, split
from svertka.zoo.weights.rename_tensors import HEADS, differences, load_state, rename

__all__ = [
    "Published", "catalog", "fetch", "find", "imagenet_classes", "load_weights", "locate", "published",
    "read_tensors", "recognize",
]  # fmt: skip

RANGES = {  # mean and standard deviation per channel of pixels / 255
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
USUAL_RANGE = {"keras": "half"}  # of a library's own weights; "imagenet" of those that are not named
# What a network must be built with to compute what it did in the library that trained the weights.
LIBRARY_OPTIONS: Mapping[str, Mapping[str, object]] = {"keras": {"padding": "tensorflow", "eps": 1e-3}}


@dataclass(frozen=True, slots=True)
class Published:
    """One file of ImageNet weights that a library publishes.

    name           network.tag, such as resnet50.tv2; the tags: tv and tv2 torchvision's recipes, a1 timm's
    network        the network of ours that takes it
    library        whose tensor names and pictures' preprocessing it has
    url            where it is fetched
    sha256         all 64 hexadecimal digits of its digest, or the first 8 where no more is known
    mebibytes      its size, where the library says
    top1           accuracy on ImageNet's validation pictures in percent, as the library says
    size           side of the square that the network sees, cut from the middle
    resize         what the shorter side is resized to before
    interpolation  bilinear or bicubic
    mean, std      per channel, of pixels / 255
    """

    name: str
    network: str
    library: str
    url: str
    sha256: str
    mebibytes: float | None
    top1: float | None
    size: int
    resize: int
    interpolation: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]

    @property
    def goal(self) -> Goal:
        """Where it comes from and goes to, and how large it may be: 1 MiB more than is known."""
        largest = LARGEST if self.mebibytes is None else int((self.mebibytes + 1) * 2**20)
        return Goal(self.url, cache_folder("weights") / self.file, self.sha256, largest)


@cache
def catalog() -> tuple[Published, ...]:
    """All published weights that our networks can take; of one network, the most accurate come first."""
    head, *rows = lines("published.tsv")
    return tuple(published_row(**dict(zip(head.split("\t"), row.split("\t"), strict=True))) for row in rows)


def lines(name: str) -> list[str]:
    """The lines of a table beside this file, without its comments."""
    text = resources.files("svertka.zoo.weights").joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def published_row(
    name: str, library: str, url: str, sha256: str, mebibytes: str, top1: str, size: str, resize: str,
    interpolation: str, pixels: str,
) -> Published:  # fmt: skip
    """A line of published.tsv."""
    return Published(
        name, name.partition(".")[0], library, url, sha256,
        float(mebibytes) if mebibytes else None, float(top1) if top1 else None,
        int(size), int(resize), "bicubic" if interpolation == "bicubic" else "bilinear", *RANGES[pixels],
    )  # fmt: skip


def find(name: str) -> Published:
    """A row of the catalog by its name, or the first one of a network by the network's.

    >>> find("resnet50").name, find("resnet50.tv").top1
    ('resnet50.tv2', 76.13)

    Raises:
        UnknownName: there are no published weights of that name.
    """
    for row in catalog():
        if name in (row.name, row.network):
            return row
    raise UnknownName(
        "set of published weights", name, [row.name for row in catalog()], "`svertka weights` lists them."
    )


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet's 1000 classes in the order of the networks' outputs, all different.

    >>> imagenet_classes()[309:311]
    ('bee', 'ant, emmet, pismire')
    """
    pairs = [line.split("\t") for line in lines("imagenet_classes.txt")]
    names = [name for _, name in pairs]
    return tuple(f"{name} ({wordnet})" if names.count(name) > 1 else name for wordnet, name in pairs)


def locate(what: str | Path) -> Path | None:
    """A file of weights by its path, or by its name in the folders where weights lie; None if it is not."""
    folders = [Path(), cache_folder("weights")]
    if named := os.environ.get("SVERTKA_WEIGHTS"):
        folders.append(Path(named))
    if named := os.environ.get("SVERTKA_DATA"):
        folders.append(Path(named) / "weights")
    paths = (folder / Path(what).expanduser() for folder in folders)
    return next((path for path in paths if split(str(path))[0].is_file()), None)


def fetch(row: Published, progress: Progress | None = None, opener: Opener | None = None) -> Path:
    """The file of published weights on this machine, fetched into the cache when it is nowhere here.

    Raises:
        WeightsError: it cannot be had, and the message says where to put it by hand; or it is another file.
    """
    goal = row.goal
    if here := locate(row.file):
        goal = replace(goal, path=here)  # which checks it
    return fetch_file(goal, progress=progress, opener=opener)


def published(what: str | Path) -> Published | None:
    """The row behind a name of the catalog or a file of it; None for other weights."""
    name = Path(what).name
    return next((row for row in catalog() if name in (row.name, row.network, row.file)), None)


def range_of(row: Published | None, library: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of the pictures that weights learned from: as published, or as usual."""
    return (row.mean, row.std) if row else RANGES[USUAL_RANGE.get(library, "imagenet")]


def load_weights(
    network: str | Net,
    what: str | Path | None,
    *,
    classes: int | None = None,
    channels: int | None = None,
    drop_head: bool = False,
    progress: Progress | None = None,
) -> Net:
    """A network with weights; its values are only ever replaced all at once.

    Args:
        network: a name of the zoo, built here, or a network that is filled in place.
        what: see `fill`, or None for the weights that it has, fresh ones of a network by name.
        classes: outputs; the published number where None. For a network by name only.
        channels: input channels; likewise.
        drop_head: leave out of the weights what of the head does not fit, as with another number of classes.
        progress: called while a file is fetched.

    Raises:
        UnknownName: there is no such network, or nothing is published under that name.
        WeightsError: the weights cannot be had or read, or are of another network.
    """
    if what is None:
        return fresh_net(network, classes=classes, channels=channels) if isinstance(network, str) else network
    return fill(network, what, classes=classes, channels=channels, drop_head=drop_head, progress=progress)[0]


def fill(
    network: str | Net,
    what: str | Path,
    *,
    classes: int | None = None,
    channels: int | None = None,
    drop_head: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[Net, tuple[str, ...]]:
    """A network filled with weights, and the names of those of its tensors that they did not hold: its fresh head.

    Args:
        network, classes, channels, drop_head, progress: see `load_weights`.
        what: a name of the catalog, "imagenet" for the best of this network, or a file (see `read_tensors`).
        options: of a network by name, what its family takes beyond that.

    Raises:
        UnknownName, UsageError, ShapeError: see `zoo.fresh_net`.
        UnknownName, WeightsError: see `load_weights`.
    """

    def empty(**library: Any) -> Net:
        if isinstance(network, Net):
            return network
        return empty_net(network, classes=classes, channels=channels, **{**library, **options})

    net = empty()
    path = path_of(what, net.name, progress)
    tensors = read_tensors(path)
    library, rules = library_of(net, tensors)
    known = variant(net.name).options() if library in LIBRARY_OPTIONS else ()
    if theirs := {k: v for k, v in LIBRARY_OPTIONS.get(library, {}).items() if k in known}:
        net = empty(**theirs)
    try:
        left = load_state(net, tensors, rules, drop_head=drop_head)
    except WeightsError as why:
        raise WeightsError(f"{path} does not fit {net.name}. {why}") from why
    return net, tuple(name for name in left if name.startswith(HEADS))


def path_of(what: str | Path, network: str, progress: Progress | None) -> Path:
    """The file that is meant: one that is there, or a published one, fetched where need be."""
    name = network if what == "imagenet" else str(what)
    if any(name in (row.name, row.network) for row in catalog()):
        return fetch(find(name), progress)
    if found := locate(name):
        return found
    if row := published(name):
        return fetch(row, progress)
    if name.partition("!")[0].lower().endswith((*SUFFIXES, ".zip")) or ".zip/" in name:
        raise WeightsError(f"There is no file of weights at {name}, and none is published under that name.")
    return fetch(find(name), progress)


def recognize(path: str | Path, only: str | None = None) -> tuple[str, str]:
    """The network and the library that a file of weights is of, by the names and shapes of its tensors.

    The name of the file only says where to look first.

    Args:
        path: a file (see `read_tensors`).
        only: look at this network alone.

    Raises:
        WeightsError: the file cannot be read, or its tensors are those of no network here.
    """
    tensors = read_tensors(path)
    names = [only] if only else [name for name, row in variants().items() if row.dims == 2]
    stem = _letters(Path(path).name)
    names.sort(key=lambda name: (not stem.startswith(_letters(name)), -len(name)))  # the longest name that fits
    near = ""
    for name in names:
        net = empty_net(name)
        library, rules = library_of(net, tensors)
        places = net.state_dict()
        given = {rename(their, rules): tensor for their, tensor in tensors.items()}
        if sum(their in places for their in given) < len(tensors) / 2:
            continue
        wrong = differences(places, given)
        if all(key.startswith(HEADS) for key in wrong):
            return name, library
        near = near or f" The nearest is {name}, but {next(iter(wrong.values()))}."
    if only:
        raise WeightsError(f"The tensors of {path} are not those of {only}.{near} Without --net, theirs is looked for.")
    raise WeightsError(f"The tensors of {path} are those of no network of the zoo.{near}")


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def library_of(net: Net, tensors: Iterable[str]) -> tuple[str, Renames]:
    """Whose names the tensors have: the rename rules of the network under which most of them find a place."""
    tables: dict[str, Renames] = {"svertka": ()}
    if net.name in variants():
        tables |= variant(net.name).renames
    places = net.state_dict().keys()
    found = {library: sum(rename(name, rules) in places for name in tensors) for library, rules in tables.items()}
    library = max(found, key=lambda key: found[key])
    return library, tables[library]

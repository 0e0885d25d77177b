"""What a kind of sample (image, series, ...) has to bring: all that the rest of the house may know of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

import numpy as np

from svertka.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Choices = dict[str, tuple[Any, str]]  # field of the recipe -> value and reason
Get = Callable[[str], Any]  # a field of the recipe -> its value, None where it is open
UNTOUCHED = 0.1  # share of training samples that a recipe leaves as they are, where it says nothing else


def option(
    default: Any,
    text: str,
    low: float = 0.0,
    high: float = 1.0,
    *,
    strengths: tuple[Any, ...] = (),
    turn: int = 0,
    chosen: bool = False,
    dear: bool = False,
    mixes: bool = False,
    channels: int = 1,
    setting: bool = True,
) -> Any:
    """A field of an `Augment`.

    Args:
        default: the value that changes nothing.
        text: help.
        low, high: bounds of a number.
        strengths: what `svertka tune` tries, a stronger one only where the one before it was kept.
        turn: its place in the order in which `tune` tries.
        chosen: whether `train` chooses it from the data where nobody sets it.
        dear: whether it takes so long that a run may wait for it.
        mixes: whether it joins two samples, so that labels become shares.
        channels: channels that a sample must have at least to be changed by it.
        setting: whether a recipe has it.
    """
    bounds = None if isinstance(default, bool) else (low, high)
    facts = {"help": text, "bounds": bounds, "strengths": strengths, "turn": turn, "chosen": chosen, "dear": dear}
    return field(default=default, metadata={**facts, "mixes": mixes, "channels": channels, "setting": setting})


@dataclass(frozen=True, repr=False)
class Augment:
    """How training samples are varied; every field at its default is no variation, and a kind adds its own fields.

    Calling it varies a batch. A row's random numbers are keyed by (seed, epoch, sample): batch size, order, threads
    and resuming change nothing.

    Raises:
        RecipeError: a value is out of its bounds.
    """

    untouched: float = option(0.0, "share of training samples that augmentation leaves as they are")

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not (isinstance(value, tuple) and len(value) == 2):  # a pair of factors
                kind = float if f.default is None else type(f.default)
                value = check_type(f.name, value, kind, optional=f.default is None)
                object.__setattr__(self, f.name, value)
            check_bounds(f.name, value, f.metadata["bounds"])

    def __call__(self, batch: Any, samples: Any, seed: int, epoch: int) -> Any:
        """Vary a batch (n, *stored), a tensor: the same shape and dtype; `samples` int64 (n,) names each row."""
        return batch

    def mix(self, batches: Any, targets: Any, samples: Any, seed: int, epoch: int) -> Any:
        """Join a batch with its partners: two batches and their (n, classes) shares -> one of each."""
        raise NotImplementedError

    def __repr__(self) -> str:
        changed = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default)
        return f"{type(self).__name__}({', '.join(changed)})"

    @classmethod
    def usual(cls) -> Self:
        """What a recipe begins with."""
        return cls(untouched=UNTOUCHED)

    @classmethod
    def settings(cls) -> dict[str, Mapping[str, Any]]:
        """The fields that a recipe has, with their metadata."""
        return {f.name: f.metadata for f in fields(cls) if f.metadata["setting"]}

    @classmethod
    def candidates(cls, channels: int | None = None) -> dict[str, tuple[Any, ...]]:
        """What `tune` tries, in order: field -> strengths; with `channels`, only what changes samples of so many."""
        found = sorted(cls.settings().items(), key=lambda item: item[1]["turn"])
        return {
            k: m["strengths"] for k, m in found if m["strengths"] and (channels is None or m["channels"] <= channels)
        }

    @property
    def varying(self) -> dict[str, Any]:
        """The fields of a recipe that are in use, but for `untouched`."""
        return {k: getattr(self, k) for k in self.settings() if k != "untouched" and getattr(self, k)}

    @property
    def none(self) -> bool:
        """Whether samples stay as they are."""
        return not any(getattr(self, f.name) for f in fields(self) if f.name != "untouched")

    @property
    def mixes(self) -> bool:
        """Whether two samples become one, so that labels become shares."""
        return any(getattr(self, f.name) for f in fields(self) if f.metadata["mixes"])

    @property
    def alone(self) -> Self:
        """What is done to one sample without another."""
        plain: dict[str, Any] = {f.name: f.default for f in fields(self) if f.metadata["mixes"]}
        return dataclasses.replace(self, **plain)

    @property
    def off(self) -> Self:
        """The same with every augmentation switched off."""
        return type(self)(untouched=self.untouched)

    @property
    def words(self) -> str:
        """In the words of --set; "" where there is none."""
        return " ".join(f"{k}=yes" if value is True else f"{k}={value:g}" for k, value in self.varying.items())


def check_type(name: str, value: Any, kind: type, *, optional: bool = False) -> Any:
    """A value of a field in the type of that field: numbers of numpy become Python's, paths become text.

    Raises:
        RecipeError: it is of another type, such as "no" for a truth value or 1.5 for a whole number.
    """
    if value is None and optional:
        return None
    is_bool = type(value).__name__ in ("bool", "bool_")  # the second is numpy's
    is_number = isinstance(value, Real) and not is_bool
    if kind is bool and is_bool:
        return bool(value)
    if kind is int and is_number and float(value).is_integer():
        return int(value)
    if kind is float and is_number:
        return value if type(value) in (int, float) else float(value)
    if kind is str and isinstance(value, str | os.PathLike):
        return os.fspath(value)
    words = {bool: "is True or False", int: "takes a whole number", float: "takes a number", str: "is a text"}
    raise RecipeError(f"{name} {words[kind]}; received {value!r}.")


def check_bounds(name: str, value: Any, bounds: tuple[float, float] | None) -> None:
    """Refuse a number out of its bounds; a pair of factors must be in order, and not below zero.

    Raises:
        RecipeError: it is out of them.
    """
    if isinstance(value, tuple):
        if not 0 <= value[0] <= value[1]:
            raise RecipeError(f"{name} is two factors from 0, the lower one first; received {value!r}.")
        return
    if bounds and value is not None and not bounds[0] <= value <= bounds[1]:
        raise RecipeError(f"{name} must lie between {bounds[0]:g} and {bounds[1]:g}; received {value:g}.")


class Preprocess(Protocol):
    """The record, saved with a model, that says how a sample becomes network input. Frozen.

    kind     name of its kind
    dtype    of samples in the store
    """

    kind: ClassVar[str]
    dtype: ClassVar[Any]

    @property
    def channels(self) -> int:
        """Of a sample."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel, of what `normalize` is given."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """As `mean`."""
        ...

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape of one sample in the store, (*sides, channels)."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input of the network, (channels, *sides)."""
        ...

    def stored_by(self) -> dict[str, Any]:
        """The fields on which samples in the store depend; the others only matter to batches."""
        ...

    def standardized(self, samples: Array) -> Self:
        """The same with mean and deviation of each channel of these samples, (k, *stored)."""
        ...

    def normalize(self, samples: Any, out: Tensor | None = None, index: Tensor | None = None) -> Tensor:
        """A batch (n, *stored), array or tensor, as the network wants it: float32 (n, *shape).

        Args:
            samples: the batch.
            out: where to put the result; a fresh tensor where None.
            index: int64 (m,), which of the samples, in which order; all where None.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON; `kinds.preprocess_from` reads it."""
        ...


class Packer(Protocol):
    """How a sample is kept smaller in the store."""

    def pack(self, sample: Array) -> bytes:
        """One stored sample as bytes."""
        ...

    def unpack(self, data: bytes) -> Array:
        """And back, about."""
        ...

    def packed_size(self, numbers: int) -> int:
        """About what a sample of so many numbers takes, in bytes."""
        ...


_Augment = Augment  # within a kind the name is that of its own


class Rule(NamedTuple):
    """A way in which a sample may be unlike the rest of its set: see `audit.oddities`.

    name      of the oddity
    find      (columns of the readable samples) -> (row, what was measured) of each odd one
    one, several  what to say of one such sample, and of several
    """

    name: str
    find: Callable[[Columns], Iterator[tuple[int, str]]]
    one: str
    several: str


class Columns(Protocol):
    """The statistics of some samples: a column by its name, and the size of each before it was prepared."""

    def __getitem__(self, name: str) -> Array: ...

    @property
    def sizes(self) -> Array:
        """int32 (n, 2), as `Kind.read_sized` gave them."""
        ...


class Kind(ABC):
    """A kind of sample: all that the rest of the house may know of it. One object for each, in `kinds.KINDS`.

    Reading is done in processes that import neither torch nor what they do not need: what a kind imports on top is
    numpy and its decoder.

    name         "image": saved with models and run folders
    one, several what people call a sample: "picture", "pictures"
    extensions   of files that hold one sample
    row_extensions  of files that hold many, a row each
    abilities    verbs that not every kind has ground for yet, as `kinds.require` names them
    statistics   small measures of a sample; "fingerprint" among them (of length one at most, alike for like samples)
    """

    name: ClassVar[str]
    one: ClassVar[str]
    several: ClassVar[str]
    extensions: ClassVar[frozenset[str]]
    row_extensions: ClassVar[frozenset[str]] = frozenset()
    abilities: ClassVar[frozenset[str]] = frozenset()
    statistics: ClassVar[np.dtype[Any]]

    # -- what it is made of

    @property
    @abstractmethod
    def Preprocess(self) -> Any:
        """The class of its `Preprocess`, with `from_dict`."""

    @property
    @abstractmethod
    def Augment(self) -> type[Augment]:
        """The class of its `Augment`."""

    @abstractmethod
    def recognize(self, head: bytes) -> str | None:
        """The format that the first bytes of a file announce (512 are enough), or None."""

    def row_form(self, path: str, head: bytes, preprocess: Any = None) -> Any:
        """How the rows of a file are written whose rows are samples (with `start`, bytes before the first); else None.

        Args:
            path: the name of the file.
            head: its first bytes.
            preprocess: of the samples that are expected, where that is known: such rows may stand without a class.
        """
        return None

    def row_form_from(self, form: Sequence[Any]) -> Any:
        """The same, from the list that JSON makes of it."""
        raise NotImplementedError

    def row_label(self, line: bytes, form: Any) -> str:
        """The class of a row; "" where it has none."""
        raise NotImplementedError

    def row_bytes(self, line: bytes, form: Any, path: str) -> bytes:
        """A row as the bytes of one sample, which `read_sized` takes.

        Raises:
            ReadError: it is no such sample.
        """
        raise NotImplementedError

    @abstractmethod
    def read_sized(self, data: bytes, preprocess: Any, path: str) -> tuple[Array, tuple[int, int]]:
        """The bytes of one sample -> (preprocess.stored) of preprocess.dtype, and two numbers that tell its size.

        Raises:
            ReadError: it is no such sample, is damaged or too large.
        """

    @abstractmethod
    def fit(self, values: Array, preprocess: Any) -> Array:
        """A sample that a program has at hand -> (preprocess.stored)."""

    def quietly(self) -> contextlib.AbstractContextManager[Any]:
        """Within, libraries that read keep their warnings to themselves."""
        return contextlib.nullcontext()

    # -- what is kept beside a sample

    def measure_file(self, data: bytes) -> dict[str, Any]:
        """Statistics that the bytes tell."""
        return {}

    @abstractmethod
    def measure(self, samples: Array) -> Array:
        """Statistics that samples (k, *stored) tell: (k,) of dtype `statistics`."""

    def packer(self, preprocess: Any) -> Packer | None:
        """How samples are kept smaller where they do not fit the cache; None where they are not."""
        return None

    # -- what is chosen from the data

    @abstractmethod
    def survey(self, files: Iterable[tuple[str, bytes]]) -> Any:
        """What some files say before any is prepared, as `facts` takes it; unreadable ones are passed over."""

    @abstractmethod
    def facts(self, survey: Any, training: int, classes: int) -> Any:
        """What choices follow from: has `kind`, `training`, `classes`, and `side` (0: no published weights)."""

    @abstractmethod
    def first_choices(self, facts: Any, get: Get) -> Choices:
        """What must be known before samples are read; `get` gives a field of the recipe, None where it is open."""

    @abstractmethod
    def choices(self, facts: Any, get: Get) -> Choices:
        """Everything else that is chosen from the data: field -> (value, reason)."""

    @abstractmethod
    def preprocess(self, facts: Any, get: Get) -> Any:
        """How samples are prepared, once `first_choices` are made."""

    # -- copies, and what may matter beside what a sample shows

    @abstractmethod
    def comparable(self, columns: Columns) -> Array:
        """Which samples show enough to be copies of others: bool (n,)."""

    @abstractmethod
    def levels(self, stored: tuple[int, ...]) -> tuple[Any, ...]:
        """How alike two samples must be to count as one, from loose to strict; each has a `radius` of fingerprints."""

    @abstractmethod
    def alike(self, one: Array, other: Array, level: Any) -> Array:
        """Whether the two samples of each pair (k, *stored) are the same: bool (k,)."""

    def told_apart(self, one: Array, other: Array) -> Array | None:
        """Which alike pairs differ in what `fingerprint` does not see: bool (k,); None where it sees everything."""
        return None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """By which samples are found that are unlike the rest of their set."""
        return ()

    def shortcuts(self, columns: Columns, file_sizes: Array | None, stored: tuple[int, ...]) -> dict[str, list[Array]]:
        """What is no part of a sample and might give its class away: fact -> columns (n,)."""
        return {}

    def slices(self, columns: Columns) -> dict[str, Array]:
        """Facts by which results are cut: in words -> (n,)."""
        return {}

    @abstractmethod
    def stores(self, sample: Array) -> bool:
        """Whether an array has the shape and dtype of a stored sample of this kind."""

    # -- on a page

    @abstractmethod
    def draw(self, sample: Array) -> dict[str, Any]:
        """One stored sample as the templates take it: {"uri", "tiny"}, the address of a picture in itself."""

    def thin(self, sample: Array, most: int) -> Array:
        """The sample with at most so many numbers along each side, for a page."""
        return sample

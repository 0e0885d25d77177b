"""What a kind of sample (image, series, ...) has to bring: all that the rest of the house may know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from svertka.errors import RecipeError

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
            check_bounds(f.name, getattr(self, f.name), f.metadata["bounds"])

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
        return dataclasses.replace(self, **{f.name: f.default for f in fields(self) if f.metadata["mixes"]})

    @property
    def off(self) -> Self:
        """The same with every augmentation switched off."""
        return type(self)(untouched=self.untouched)

    @property
    def words(self) -> str:
        """In the words of --set; "" where there is none."""
        return " ".join(f"{k}=yes" if value is True else f"{k}={value:g}" for k, value in self.varying.items())


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

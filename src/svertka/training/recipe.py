"""The recipe: everything that decides what is learned, frozen, checked at birth, saved with the run.

A field that is None is chosen from the data by training/defaults, which writes down why. What was measured on the
machine (layout, precision, threads) is not here but in the plan.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from dataclasses import dataclass, field, fields
from typing import Any

from svertka.errors import RecipeError, UnknownName
from svertka.kinds import KINDS, augment_for, kind
from svertka.kinds.base import Augment, check_bounds, check_type
from svertka.optimizers.registry import OPTIMIZERS
from svertka.training.schedules.lr_schedule import SCHEDULES

BALANCES = ("none", "weights", "sample")
HEADS = ("neighbors", "linear", "dense", "netvlad")
FITS = ("stretch", "crop", "pad")
YES, NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")
# what fields were called before, and what other tools call them -> the field
ALIASES = {
    "optimiser": "optimizer", "opt": "optimizer",
    "rate": "learning_rate", "lr": "learning_rate",
    "layer_rate": "layer_decay", "layer_lr_decay": "layer_decay",
    "batch": "batch_size", "bs": "batch_size",
    "wd": "weight_decay", "clip": "clip_grad_norm", "clip_grad": "clip_grad_norm", "clipnorm": "clip_grad_norm",
    "average": "ema_decay", "model_ema_decay": "ema_decay", "smoothing": "label_smoothing",
    "flip": "flip_horizontal", "hflip": "flip_horizontal", "fliplr": "flip_horizontal",
    "horizontal_flip": "flip_horizontal",
    "upend": "flip_vertical", "vflip": "flip_vertical", "flipud": "flip_vertical", "vertical_flip": "flip_vertical",
    "erase": "random_erasing", "erasing": "random_erasing", "reprob": "random_erasing",
    "trivial": "trivial_augment", "imgsz": "size", "img_size": "size", "model": "net",
}  # fmt: skip
NONE_IS_A_CHOICE = ("weights", "freeze")  # of other fields, `none` says as `auto` does that they are left open


def _field(default: Any, text: str, low: float | None = None, high: float | None = None) -> Any:
    """A field with its help and, where it is a number, the least and the largest it may be."""
    bounds = None if low is None or high is None else (low, high)
    return field(default=default, metadata={"help": text, "bounds": bounds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to learn and how; None means: chosen from the data, with the reason written down."""

    net: str | None = _field(None, "network: a name of the zoo, or a line of notation")
    weights: str | None = _field(None, "start from these weights: a name of `svertka weights`, a file, or none")
    freeze: str | None = _field(None, "what does not learn: none, backbone, the first N stages, or parts by name")
    head: str | None = _field(None, f"of a frozen network: {', '.join(HEADS)}; auto: the best of several")
    stages: int | None = _field(
        None, "last stages of a frozen network that are averaged and put side by side; auto: the last alone", 1, 1000
    )
    size: int | None = _field(None, "side of the square input in pixels", 1, 4096)
    fit: str | None = _field(None, "what happens to other aspect ratios: stretch, crop or pad")
    epochs: int | None = _field(None, "passes over the training pictures", 1, 100_000)
    batch_size: int | None = _field(None, "pictures per step", 1, 1 << 20)
    optimizer: str | None = _field(None, f"one of {', '.join(OPTIMIZERS)}")
    learning_rate: float | None = _field(None, "peak learning rate", 1e-12, 1e3)
    layer_decay: float | None = _field(
        None, "each stage below the head learns at this share of the rate above it", 0.001, 1
    )
    momentum: float | None = _field(
        None, "momentum of sgd, nesterov, rmsprop and muon; the first beta of adam and adamw", 0, 0.9999
    )
    weight_decay: float | None = _field(
        None, "L2 penalty (adamw, muon: decoupled) on weights, not on biases and norms", 0, 10
    )
    lookahead: int = _field(
        0, "steps after which the weights come back half-way to where they were; 0 is never", 0, 100_000
    )
    clip_grad_norm: float = _field(0.0, "largest length of all gradients together; 0 does not clip", 0, 1e6)
    accumulate: int = _field(
        1, "pieces in which a batch is computed, to save memory; the step is that of the batch", 1, 4096
    )
    schedule: str = _field("onecycle", f"one of {', '.join(SCHEDULES)}")
    warmup: float | None = _field(
        None, "share of all steps in which the rate rises to its peak; auto: as is usual", 0, 1
    )
    wait: int = _field(
        5, "passes without a lower validation loss after which `plateau` divides the rate by ten", 1, 100_000
    )
    patience: int = _field(
        0, "passes without a better one after which training ends early; 0 goes on to the end", 0, 100_000
    )
    grow: float | None = _field(
        None, "share of all steps that see smaller pictures, which grow to their size (progressive resizing)", 0, 0.9
    )
    label_smoothing: float | None = _field(None, "share of the target spread evenly over all classes", 0, 0.99)
    ema_decay: float | None = _field(None, "decay of the running average of weights, per step; 0 is none", 0, 0.99999)
    keep: int = _field(1, "best passes whose models are kept, the others beside the run's own as best/pass-N", 1, 1000)
    rescue: int = _field(
        2, "times that training may go back to its best pass, at half the rate, when the loss is lost", 0, 100
    )
    checkpoint: float = _field(
        10.0, "minutes between checkpoints within a pass; each end of a pass has its own", 0.001, 1e6
    )
    test_flip: bool | None = _field(None, "answer with the mean over the picture and its mirror image")
    augment: Augment = field(default_factory=lambda: augment_for(()).usual(), metadata={"bounds": None})
    open: frozenset[str] | None = field(default=None, metadata={"bounds": None})  # fields of augment still to be chosen
    balance: str = _field("none", f"rare classes count more in the loss or are drawn oftener: {', '.join(BALANCES)}")
    validation: float | None = _field(
        None, "share of the training pictures that validates, where no folder does", 0.001, 0.9
    )
    group_by: str | None = _field(None, "column, or pattern on the path; files of one group (a patient) never part")
    minutes: float | None = _field(None, "time that the whole run may take", 0.01, 1e6)
    seed: int = _field(0, "seed of split, weights, order and augmentation", 0, 2**31 - 1)

    def __post_init__(self) -> None:
        for name, kinds in _own_types().items():
            own = next(k for k in kinds if k is not type(None))
            value = check_type(name, getattr(self, name), own, optional=type(None) in kinds)
            object.__setattr__(self, name, value)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("schedule", self.schedule, SCHEDULES)
        _choice("fit", self.fit, FITS)
        _choice("head", self.head, HEADS)
        if self.group_by is not None:
            try:
                re.compile(self.group_by)
            except re.error as why:
                raise RecipeError(f"group_by is no pattern: {why}; received {self.group_by!r}.") from None
        _choice("balance", self.balance, BALANCES)
        for f in fields(self):
            check_bounds(f.name, getattr(self, f.name), f.metadata["bounds"])
        if self.open is None:
            fields_of = self.augment.settings().items()
            chosen = (k for k, m in fields_of if m["chosen"] and not getattr(self.augment, k))
            object.__setattr__(self, "open", frozenset(chosen))
        if self.batch_size is not None and self.accumulate > max(1, self.batch_size // 2):
            raise RecipeError(
                f"A batch_size of {self.batch_size} makes {max(1, self.batch_size // 2)} pieces of two pictures or "
                f"more, not {self.accumulate}: set accumulate lower or batch_size higher."
            )

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with other values, of `augment` too; None leaves a field open again."""
        own = {k: v for k, v in changes.items() if k in OWN}
        varied = {k: v for k, v in changes.items() if k not in OWN}
        if varied:
            settings = self.augment.settings()
            unknown = next((k for k in varied if k not in settings), None)
            if unknown is not None:
                raise UnknownName("field of the recipe", unknown, sorted({*OWN, *settings}))
            defaults: dict[str, Any] = {f.name: f.default for f in fields(self.augment)}
            values = {k: defaults[k] if v is None else v for k, v in varied.items()}
            own["augment"] = dataclasses.replace(self.augment, **values)
            own["open"] = (self.open or frozenset()) - varied.keys() | {k for k, v in varied.items() if v is None}
        return dataclasses.replace(self, **own)

    def for_kind(self, name: str) -> Recipe:
        """The same recipe for samples of a kind.

        Raises:
            UnknownName: it holds augmentations that such samples do not know.
        """
        there = kind(name).Augment
        if isinstance(self.augment, there):
            return self
        varied = self.augment.varying
        for setting in varied:
            if setting not in there.settings():
                raise UnknownName(f"augmentation of {kind(name).several}", setting, sorted(there.settings()))
        fresh = dataclasses.replace(self, augment=there(untouched=self.augment.untouched), open=None)
        return fresh.replace(**varied)

    def get(self, name: str) -> Any:
        """A field of the recipe or of its augmentation; None where it is left open."""
        if name in OWN:
            return getattr(self, name)
        return None if name in (self.open or ()) else getattr(self.augment, name)

    def to_dict(self) -> dict[str, Any]:
        """All fields, those of the augmentation beside the others, as JSON writes them."""
        found: dict[str, Any] = {}
        for f in fields(self):
            if f.name == "augment":
                found |= {name: self.get(name) for name in self.augment.settings()}
            elif f.name != "open":
                found[f.name] = getattr(self, f.name)
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """A recipe from what `to_dict` gave, or from some of its fields.

        Raises:
            UnknownName: a field that recipes do not have.
            RecipeError: a value is out of its bounds.
        """
        known = types_of()
        found: dict[str, Any] = {}
        for given, value in values.items():
            name = ALIASES.get(given, given)
            if name not in known:
                raise UnknownName("field of the recipe", given, sorted(known))
            if name in found:
                raise RecipeError(f"{name} is set twice, the second time as {given}.")
            found[name] = value
        if found.get("head") == "neighbours":  # as runs of format 2 have it
            found["head"] = "neighbors"
        varied = {k: v for k, v in found.items() if k not in OWN}
        own = {k: v for k, v in found.items() if k in OWN}
        return cls(**own, augment=augment_for(varied).usual()).replace(**varied)


OWN = frozenset(f.name for f in fields(Recipe))


@functools.cache
def _own_types() -> dict[str, tuple[type, ...]]:
    hints = typing.get_type_hints(Recipe)
    return {name: typing.get_args(hint) or (hint,) for name, hint in hints.items() if name not in ("augment", "open")}


def types_of() -> dict[str, tuple[type, ...]]:
    """Every field that may be set, with the types that its value may have; NoneType where it may be left open."""
    found = dict(_own_types())
    for augment in (kind(name).Augment for name in reversed(KINDS)):
        for f in fields(augment):
            if f.metadata["setting"]:
                own = type(f.default)
                found[f.name] = (own, type(None)) if f.metadata["chosen"] else (own,)
    return found


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` of the command line's --set, with the value in the type of the recipe's field.

    >>> parse_setting("learning_rate=0.05")
    ('learning_rate', 0.05)

    Raises:
        RecipeError: no `=`, or a value of another type.
        UnknownName: no such field.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"--set takes key=value; received {text!r}.")
    types = types_of()
    given, name = name, ALIASES.get(name, name)
    if name not in types:
        raise UnknownName("field of the recipe", given, sorted(types))
    choices = types[name]
    own = next(k for k in choices if k is not type(None))
    word = value.lower()
    if word == "none" and name in NONE_IS_A_CHOICE:
        return name, word
    if word in {"none", "auto"} and type(None) in choices:
        return name, None
    if own is bool:
        if word not in (*YES, *NO):
            raise RecipeError(f"{name} is yes or no; received {value!r}.")
        return name, word in YES
    try:
        return name, own(value)
    except ValueError:
        raise RecipeError(
            f"{name} takes {'a whole number' if own is int else 'a number'}; received {value!r}."
        ) from None


def _choice(name: str, value: str | None, choices: typing.Iterable[str]) -> None:
    if value is not None and value not in choices:
        raise UnknownName(name, value, sorted(choices))

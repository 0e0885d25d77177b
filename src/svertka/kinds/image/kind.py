"""Pictures, as a kind: what is heavy is imported when it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from svertka.kinds import base
from svertka.kinds.base import Array, Choices, Columns, Get, Kind, Packer, Rule
from svertka.kinds.image.formats import EXTENSIONS, picture_format
from svertka.kinds.image.limits import quiet_pillow
from svertka.kinds.image.preprocess import Preprocess as How
from svertka.kinds.image.reader import fit, read_sized
from svertka.kinds.image.statistics import FACTS, file_facts, picture_facts


class ImageKind(Kind):
    """Pictures: uint8 (height, width, 1 or 3)."""

    name, one, several = "image", "picture", "pictures"
    extensions = EXTENSIONS
    abilities = frozenset(["tune", "preview", "explain", "evaluate --robust", "report --full"])
    statistics: ClassVar[np.dtype[Any]] = FACTS

    @property
    def Preprocess(self) -> type[How]:
        return How

    @property
    def Augment(self) -> type[base.Augment]:
        from svertka.kinds.image.augment.augment import Augment

        return Augment

    @property
    def rules(self) -> tuple[Rule, ...]:
        from svertka.kinds.image.oddities import RULES

        return RULES

    def recognize(self, head: bytes) -> str | None:
        return picture_format(head)

    def read_sized(self, data: bytes, preprocess: How, path: str) -> tuple[Array, tuple[int, int]]:
        return read_sized(data, preprocess, path)

    def fit(self, values: Array, preprocess: How) -> Array:
        return fit(values, preprocess)

    def quietly(self) -> contextlib.AbstractContextManager[Any]:
        return quiet_pillow

    def measure_file(self, data: bytes) -> dict[str, Any]:
        return file_facts(data)

    def measure(self, samples: Array) -> Array:
        return picture_facts(samples)

    def packer(self, preprocess: How) -> Packer:
        from svertka.kinds.image.packing import JpegPacker

        return JpegPacker(preprocess.channels)

    def survey(self, files: Iterable[tuple[str, bytes]]) -> Any:
        from svertka.kinds.image.survey import survey

        return survey(files)

    def facts(self, survey: Any, training: int, classes: int) -> Any:
        from svertka.kinds.image.defaults import Facts

        return Facts(training, classes, survey.side, survey.aspect, survey.color)

    def first_choices(self, facts: Any, get: Get) -> Choices:
        from svertka.kinds.image import defaults

        return defaults.first_choices(facts, get)

    def choices(self, facts: Any, get: Get) -> Choices:
        from svertka.kinds.image import defaults

        return defaults.choices(facts, get)

    def preprocess(self, facts: Any, get: Get) -> How:
        return How(get("size"), get("size"), 3 if facts.color else 1, get("fit"))

    def comparable(self, columns: Columns) -> Array:
        from svertka.kinds.image.copies import PLAIN

        found: Array = columns["deviation"] >= PLAIN
        return found

    def levels(self, stored: tuple[int, ...]) -> tuple[Any, ...]:
        from svertka.kinds.image.copies import LOOSE, STRICT, TINY

        return (STRICT,) if min(stored[:2]) < TINY else (LOOSE, STRICT)

    def alike(self, one: Array, other: Array, level: Any) -> Array:
        from svertka.kinds.image.copies import alike

        return alike(one, other, level)

    def told_apart(self, one: Array, other: Array) -> Array | None:
        from svertka.kinds.image.copies import same_colors

        return ~same_colors(one, other) if one.shape[3] == 3 else None

    def shortcuts(self, columns: Columns, file_sizes: Array | None, stored: tuple[int, ...]) -> dict[str, list[Array]]:
        from svertka.kinds.image.confounders import shortcuts

        return shortcuts(columns, file_sizes, stored)

    def slices(self, columns: Columns) -> dict[str, Array]:
        from svertka.kinds.image.confounders import slices

        return slices(columns)

    def stores(self, sample: Array) -> bool:
        return sample.dtype == np.uint8 and sample.ndim == 3 and sample.shape[2] in (1, 3)

    def draw(self, sample: Array) -> dict[str, Any]:
        from svertka.kinds.image.draw import shown

        return shown(sample)

    def thin(self, sample: Array, most: int) -> Array:
        step = -(-max(sample.shape[:2]) // most)
        return sample[::step, ::step]


KIND = ImageKind()

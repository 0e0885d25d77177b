"""Series, as a kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from svertka.errors import ReadError
from svertka.kinds import base
from svertka.kinds.base import Array, Choices, Columns, Get, Kind, Rule
from svertka.kinds.series import formats
from svertka.kinds.series.preprocess import Preprocess as How
from svertka.kinds.series.statistics import LEVEL, RULES, STATISTICS, alike, comparable, measure


class SeriesKind(Kind):
    """Series of one length: float32 (length, channels)."""

    name, one, several = "series", "series", "series"
    extensions = frozenset(["npy"])
    row_extensions = formats.EXTENSIONS
    statistics: ClassVar[np.dtype[Any]] = STATISTICS

    @property
    def Preprocess(self) -> type[How]:
        return How

    @property
    def Augment(self) -> type[base.Augment]:
        from svertka.kinds.series.augment import Augment

        return Augment

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RULES

    def recognize(self, head: bytes) -> str | None:
        return "NPY" if head.startswith(formats.MAGIC) else None

    def row_form(self, path: str, head: bytes, preprocess: Any = None) -> formats.Form | None:
        return formats.form_of(path, head, None if preprocess is None else preprocess.length)

    def row_form_from(self, form: Sequence[Any]) -> formats.Form:
        return formats.Form(*form)

    def row_label(self, line: bytes, form: formats.Form) -> str:
        return formats.label_of(line, form)

    def row_bytes(self, line: bytes, form: formats.Form, path: str) -> bytes:
        return formats.to_bytes(formats.values_of(line, form, path))

    def read_sized(self, data: bytes, preprocess: How, path: str) -> tuple[Array, tuple[int, int]]:
        values = formats.from_bytes(data, path)
        try:
            return self.fit(values, preprocess), values.shape
        except ReadError as why:
            raise ReadError(path, why.reason) from why

    def fit(self, values: Array, preprocess: How) -> Array:
        values = np.asarray(values, np.float32)
        values = values[:, None] if values.ndim == 1 else values
        length, channels = values.shape
        if channels != preprocess.channels:
            raise ReadError("the series", f"it has {channels} channels, where {preprocess.channels} are wanted")
        if length == preprocess.length:
            return values
        if not preprocess.resample:
            raise ReadError("the series", f"it has {length} values, where {preprocess.length} are wanted")
        old, new = np.linspace(0, 1, length), np.linspace(0, 1, preprocess.length)
        return np.stack([np.interp(new, old, values[:, k]) for k in range(channels)], 1).astype(np.float32)

    def measure(self, samples: Array) -> Array:
        return measure(samples)

    def survey(self, files: Iterable[tuple[str, bytes]]) -> Any:
        from svertka.kinds.series.defaults import survey

        return survey(files)

    def facts(self, survey: Any, training: int, classes: int) -> Any:
        from svertka.kinds.series.defaults import facts

        return facts(survey, training, classes)

    def first_choices(self, facts: Any, get: Get) -> Choices:
        from svertka.kinds.series import defaults

        return defaults.first_choices(facts, get)

    def choices(self, facts: Any, get: Get) -> Choices:
        from svertka.kinds.series import defaults

        return defaults.choices(facts, get)

    def preprocess(self, facts: Any, get: Get) -> How:
        from svertka.kinds.series import defaults

        return defaults.preprocess(facts, get)

    def comparable(self, columns: Columns) -> Array:
        return comparable(columns)

    def levels(self, stored: tuple[int, ...]) -> tuple[Any, ...]:
        return (LEVEL,)

    def alike(self, one: Array, other: Array, level: Any) -> Array:
        return alike(one, other, level)

    def shortcuts(self, columns: Columns, file_sizes: Array | None, stored: tuple[int, ...]) -> dict[str, list[Array]]:
        return {"length": [columns.sizes[:, 0]]}

    def slices(self, columns: Columns) -> dict[str, Array]:
        return {name: columns[name].astype(float) for name in ("mean", "deviation", "roughness")}

    def stores(self, sample: Array) -> bool:
        return sample.dtype == np.float32 and sample.ndim == 2

    def draw(self, sample: Array) -> dict[str, Any]:
        from svertka.kinds.series.draw import shown

        return shown(sample)


KIND = SeriesKind()

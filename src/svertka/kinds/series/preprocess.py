"""`Preprocess`: how a series becomes network input: (channels, length) float32."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from svertka.errors import RecipeError
from svertka.kinds.base import Array

if TYPE_CHECKING:
    from torch import Tensor

FLAT = 1e-6  # a series that deviates less from its mean is not scaled up


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a series becomes the input of a network.

    length     values of each channel
    channels   1 or more
    resample   whether another length is brought to this one, by linear interpolation, or refused
    each       whether every series is brought to mean 0 and deviation 1 by itself, channel by channel (z-normalization)
    mean, std  per channel, of what that leaves; 0 and 1 where they are left out
    """

    kind: ClassVar[str] = "series"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)
    length: int
    channels: int
    resample: bool = False
    each: bool = True
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("length", "channels"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 20:
                raise RecipeError(f"{name} is a whole number from 1 to {1 << 20}; received {value!r}.")
        object.__setattr__(self, "mean", tuple(float(v) for v in self.mean) or (0.0,) * self.channels)
        object.__setattr__(self, "std", tuple(float(v) for v in self.std) or (1.0,) * self.channels)
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels or not all(map(math.isfinite, values)):
                raise RecipeError(f"{name} has one finite number for each of {self.channels} channels; not {values}.")
        if min(self.std) <= 0:
            raise RecipeError(f"std is greater than 0 in every channel; received {self.std}.")

    @property
    def stored(self) -> tuple[int, int]:
        """(length, channels) in the store."""
        return self.length, self.channels

    @property
    def shape(self) -> tuple[int, int]:
        """(channels, length) of the network's input."""
        return self.channels, self.length

    def stored_by(self) -> dict[str, Any]:
        """The fields on which stored series depend."""
        return {"kind": self.kind, "length": self.length, "channels": self.channels, "resample": self.resample}

    def standardized(self, samples: Array) -> Preprocess:
        """With mean and deviation of each channel; of series that are brought to them one by one, 0 and 1."""
        if self.each:
            return replace(self, mean=(), std=())
        mean, std = samples.mean((0, 1)), samples.std((0, 1))
        return replace(self, mean=tuple(map(float, mean)), std=tuple(max(float(s), FLAT) for s in std))

    def normalize(self, samples: Any, out: Tensor | None = None, index: Tensor | None = None) -> Tensor:
        """Float32 (n, length, channels) -> (n, channels, length); see `kinds.base.Preprocess`."""
        import torch

        if not isinstance(samples, torch.Tensor):
            samples = torch.from_numpy(samples if samples.flags.writeable else samples.copy())
        x = (samples if index is None else samples.index_select(0, index)).movedim(-1, 1)  # (n, channels, length)
        if self.each:
            centered = x - x.mean(2, keepdim=True)
            x = centered / centered.square().mean(2, keepdim=True).sqrt().clamp_min(FLAT)
        mean, std = (torch.tensor(values, device=x.device)[:, None] for values in (self.mean, self.std))
        x = (x - mean) / std
        return x.contiguous() if out is None else out.copy_(x)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {"kind": self.kind, **asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        """The record that `to_dict` was made of.

        Raises:
            RecipeError: a field is missing, unknown or out of range.
        """
        known = {f.name for f in fields(cls)}
        if data.keys() - {"kind"} != known:
            odd = ", ".join(sorted((data.keys() - {"kind"}) ^ known))
            raise RecipeError(f"a Preprocess has the fields {', '.join(sorted(known))}; missing or unknown: {odd}.")
        values = {k: v for k, v in data.items() if k != "kind"}
        return cls(**{**values, "mean": tuple(data["mean"]), "std": tuple(data["std"])})

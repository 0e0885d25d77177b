"""What a family of networks tells the rest of the program: its variants, one row each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from svertka.blocks import Net

# Rules that turn one source's tensor names into ours, applied in order: (regular expression, replacement).
Renames = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One network by name.

    build     called as build(classes=..., channels=..., **options); gives a fresh network on torch's device
    size      the side of the input that the network was published with (pixels, or samples in 1-D)
    least     the least side that works
    dims      2 for pictures and spectrograms, 1 for sound, series and text
    source    the paper
    renames   per source of weights ("torchvision", "keras", "timm", ...): the rules from their names to ours
    settings  per source of weights: what `build` needs to be told for them to mean what they meant there
    """

    name: str
    build: Callable[..., Net]
    size: int
    least: int
    channels: int = 3
    classes: int = 1000
    dims: int = 2
    source: str = ""
    renames: Mapping[str, Renames] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def fitted(self, size: Sequence[int]) -> dict[str, int]:
        """The options of a network that is built for inputs of one size: its `size`, or its `mels` in height."""
        bound = {"size": size[-1], "mels": size[0]}
        return {option: value for option, value in bound.items() if option in self.options()}

    def options(self) -> tuple[str, ...]:
        """What `build` can be told beyond classes and channels."""
        known = inspect.signature(self.build).parameters
        return tuple(name for name in known if name not in ("classes", "channels"))

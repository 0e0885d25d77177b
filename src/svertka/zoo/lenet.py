"""LeNet. Written with the main job; see the registry for the contract."""

from __future__ import annotations

from svertka.zoo.registry import Variant

VARIANTS: tuple[Variant, ...] = ()

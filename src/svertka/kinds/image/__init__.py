"""Pictures: bytes -> pixels -> tensor.

Names are fetched from their modules when first used; torch is imported by `Preprocess.normalize` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svertka.common.lazy import lazy_face

__all__ = ["Header", "Preprocess", "back", "decode", "fit", "header", "read"]

if TYPE_CHECKING:
    from svertka.kinds.image.decoder import Header, decode, header
    from svertka.kinds.image.geometry import back
    from svertka.kinds.image.preprocess import Preprocess
    from svertka.kinds.image.reader import fit, read
else:
    __getattr__, __dir__ = lazy_face(
        __name__,
        {
            "svertka.kinds.image.decoder": ("Header", "decode", "header"),
            "svertka.kinds.image.geometry": ("back",),
            "svertka.kinds.image.preprocess": ("Preprocess",),
            "svertka.kinds.image.reader": ("fit", "read"),
        },
    )
